"""Booting, switching, growing, restarting without losing a request or a line: on the real HAProxy."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial

import httpx
import pytest

from senryu.core.errors import Unavailable
from senryu.core.route import Route, RouteMode
from senryu.routers.haproxy import HAProxyRouter, write_start_files

from .conftest import Dynos
from .rig import Dyno, Rig, answer, lines_of, route, running_haproxy, until

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]


async def test_fifty_requests_wait_while_an_app_boots_and_are_all_served(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.BOOT))
    waiting = [asyncio.create_task(rig.get(app.hosts[0], method="POST", content=b"kept")) for _ in range(50)]
    await asyncio.sleep(0.5)
    assert not any(one.done() for one in waiting)
    dyno = await dynos(answer())
    await router.apply(replace(app, mode=RouteMode.SERVE, targets=(dyno.target(),)))
    assert {(one.status_code, one.text) for one in await asyncio.gather(*waiting)} == {(200, "hello world\n")}
    lines = await lines_of(router, app.app_id, count=50)
    assert {line.code for line in lines} == {""} and max(line.service_ms for line in lines) < 400  # the wait is not the dyno's


async def test_requests_wait_while_a_serving_app_has_no_dyno_for_a_moment(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route())
    waiting = asyncio.create_task(rig.get(app.hosts[0]))
    await asyncio.sleep(0.3)
    await router.apply(replace(app, targets=((await dynos(answer())).target(),)))
    assert (await waiting).status_code == 200


async def test_a_request_that_waits_is_told_when_the_app_crashes(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.BOOT))
    waiting = asyncio.create_task(rig.get(app.hosts[0]))
    await asyncio.sleep(0.3)
    await router.apply(replace(app, mode=RouteMode.CRASHED))
    assert (await waiting).status_code == 503
    [line] = await lines_of(router, app.app_id)
    assert line.code == "H10"


async def _is_idle(router: HAProxyRouter, dyno: Dyno) -> bool:
    return await router.active_requests(dyno.id) == 0


@pytest.mark.parametrize("mode", [RouteMode.BOOT, RouteMode.SERVE])
async def test_a_visitor_of_a_removed_app_never_reaches_the_next_app_in_its_slot(haproxy: Started, dynos: Dynos, mode: RouteMode) -> None:
    rig, router = haproxy
    await router.apply(gone := route(mode=mode))
    waiting = asyncio.create_task(rig.get(gone.hosts[0]))
    await asyncio.sleep(0.3)
    await router.remove(gone.app_id)
    other = await dynos(answer())
    await router.apply(route(other))
    assert (await waiting).status_code == 404
    assert other.heads == []


async def test_no_request_is_lost_while_dynos_are_switched_twenty_times(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        await asyncio.sleep(0.05)
        await answer()(reader, writer, head)

    dyno = await dynos(busy)
    await router.apply(app := route(dyno))
    seen: list[int] = []
    is_over = False

    async def visit() -> None:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            while not is_over:
                seen.append((await client.get(rig.url, headers={"Host": app.hosts[0]})).status_code)

    visitors = [asyncio.create_task(visit()) for _ in range(10)]
    for _ in range(20):
        old, dyno = dyno, await dynos(busy)
        await router.apply(replace(app, targets=(old.target(is_draining=True), dyno.target())))
        await router.apply(replace(app, targets=(dyno.target(),)))

        await until(partial(_is_idle, router, old))
        old.stop()
    is_over = True
    await asyncio.gather(*visitors)
    assert len(seen) > 100 and set(seen) == {200}
    [routed] = await router.routes()
    assert routed.targets == (dyno.target(),)


async def test_a_refusing_dyno_costs_no_request_while_another_is_up(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    good, gone = await dynos(answer()), await dynos(answer(), "web.2")
    gone.stop()
    await router.apply(app := route(good, gone))
    assert {(await rig.get(app.hosts[0])).status_code for _ in range(40)} == {200}


async def test_each_of_an_app_s_dynos_takes_its_share_of_the_requests(haproxy: Started, dynos: Dynos) -> None:
    """Also of those that came one after the other, and in the places of others that left."""
    rig, router = haproxy
    all_of_them = [await dynos(answer()) for _ in range(8)]
    app = route()
    for there in (all_of_them[:3], all_of_them[:6], all_of_them[2:]):
        await router.apply(app := replace(app, targets=tuple(dyno.target() for dyno in there)))
        before = [len(dyno.heads) for dyno in there]
        for number in range(40 * len(there)):
            await rig.get(app.hosts[0], method="POST" if number % 2 else "GET")
        assert min(len(dyno.heads) - had for dyno, had in zip(there, before, strict=True)) >= 5


async def test_dynos_that_left_are_forgotten_when_their_last_request_ended(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    release = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nab")
        await release.wait()
        writer.write(b"cd")

    old, new = await dynos(hold), await dynos(answer())
    await router.apply(app := route(old))
    waiting = asyncio.create_task(rig.get(app.hosts[0]))

    async def has_arrived() -> bool:
        return await router.active_requests(old.id) == 1

    await until(has_arrived)
    await router.apply(replace(app, targets=(new.target(),)))
    assert [t.dyno_id for r in await router.routes() for t in r.targets] == [new.id]
    release.set()
    assert (await waiting).text == "abcd"

    async def is_forgotten() -> bool:
        return str(old.id) not in rig.settings.config.read_text() and len((await router._live()).servers["be_0001"]) == 1

    await until(is_forgotten)


async def test_haproxy_killed_while_nobody_drives_it_comes_back_with_every_route(dynos: Dynos) -> None:
    async with running_haproxy() as (rig, router):
        serving = route(await dynos(answer()), host="*.example.com")
        resting = replace(route(mode=RouteMode.MAINTENANCE), maintenance_page_url="https://example.com/m")
        draining = route(await dynos(answer()))
        draining = replace(draining, targets=(replace(draining.targets[0], is_draining=True),))
        for app in (serving, resting, draining):
            await router.apply(app)
        before = await router.routes()
        await rig.get("a.example.com")
        await router.__aexit__(None, None, None)
        rig.stop(kill=True)
        with pytest.raises(Unavailable):
            await router.routes()
        await rig.start()
        assert (await rig.get("b.example.com")).text == "hello world\n"
        assert "https://example.com/m" in (await rig.get(resting.hosts[0])).text
        async with HAProxyRouter(rig.settings) as again:
            assert await again.routes() == before
            assert [line.host for line in await lines_of(again, serving.app_id, 2)] == ["a.example.com", "b.example.com"]
            await again.apply(replace(serving, targets=()))
            await again.apply(serving)
            await again.remove(resting.app_id)
            assert (await rig.get("b.example.com")).status_code == 200
            assert (await rig.get(resting.hosts[0])).status_code == 404


async def _is_written(rig: Rig, app: Route) -> bool:
    return app.hosts[0] in rig.settings.hosts.read_text()


async def test_start_files_written_again_keep_every_route(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(answer())))

    await until(partial(_is_written, rig, app))
    before = rig.settings.config.read_text()
    await asyncio.to_thread(write_start_files, rig.settings)
    assert rig.settings.config.read_text() == before and app.targets[0].address in before


async def test_more_apps_than_slots_make_the_router_grow_without_losing_a_request(dynos: Dynos) -> None:
    async with running_haproxy(slots=2) as (rig, router):
        app = route(await dynos(answer()))
        await router.apply(app)
        seen: list[int] = []

        async def visit() -> None:
            while len(seen) < 1000:
                seen.append((await rig.get(app.hosts[0])).status_code)

        visitor = asyncio.create_task(visit())
        others = [route(await dynos(answer())) for _ in range(4)]
        for other in others:
            await router.apply(other)
        assert {(await rig.get(other.hosts[0])).status_code for other in others} == {200}
        assert len(await router.routes()) == 5
        visitor.cancel()
        await asyncio.gather(visitor, return_exceptions=True)
        assert seen and set(seen) == {200}


async def test_many_apps_that_find_no_slot_at_once_make_the_router_grow_once_for_all(dynos: Dynos) -> None:
    async with running_haproxy(slots=2) as (rig, router):
        dyno = await dynos(answer())
        apps = [route(dyno) for _ in range(12)]
        await asyncio.gather(*map(router.apply, apps))
        assert {(await rig.get(app.hosts[0])).status_code for app in apps} == {200}
        assert len(await router.routes()) == len(apps)
        assert rig.settings.config.read_text().count("\nbackend be_") <= 16


async def test_more_questions_at_once_than_haproxy_takes_are_all_answered(haproxy: Started, dynos: Dynos) -> None:
    _, router = haproxy
    await router.apply(app := route(await dynos(answer())))
    assert await asyncio.gather(*(router.routes() for _ in range(100))) == [[app]] * 100


async def test_a_request_log_that_was_read_takes_no_room(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.STOPPED))
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            await client.get(rig.url, headers={"Host": app.hosts[0]})
    lines = await lines_of(router, app.app_id, count=300)
    reading = asyncio.create_task(_read_on(router, lines[-1].position))

    async def is_small() -> bool:
        stat = rig.settings.log.stat()
        return stat.st_size > 64_000 and stat.st_blocks * 512 <= 8192

    await rig.get(app.hosts[0])
    await until(is_small)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await rig.get(app.hosts[0])
    assert len(await lines_of(router, app.app_id, count=2, after=lines[-1].position)) >= 1


async def _read_on(router: HAProxyRouter, after: int) -> None:
    async for _ in router.requests(after):
        pass


async def test_positions_go_on_rising_when_the_log_is_replaced(haproxy: Started) -> None:
    rig, router = haproxy
    s = rig.settings
    await router.apply(app := route(mode=RouteMode.STOPPED))
    await rig.get(app.hosts[0], "/one")
    [one] = await lines_of(router, app.app_id)
    await until(partial(_is_written, rig, app))
    rig.stop()
    s.log.rename(s.log.with_name("old"))
    await asyncio.to_thread(write_start_files, s)
    await rig.start()
    await rig.get(app.hosts[0], "/two")
    [two] = await lines_of(router, app.app_id, after=one.position)
    assert (one.path, two.path) == ("/one", "/two") and two.position > one.position
    assert json.loads(s.run_file.read_bytes())["number"] == 2
