"""HAProxy replaced and killed under load: on the real program."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from senryu.core.route import Route, RouteMode
from senryu.routers.haproxy import HAProxyRouter, files
from senryu.routers.haproxy.config import STAMP_VARIABLE
from senryu.routers.haproxy.runtime import ask

from .conftest import Dynos
from .rig import PATIENT, Rig, answer, lines_of, route, running_haproxy, until, written

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]


@asynccontextmanager
async def visitors(rig: Rig, app: Route) -> AsyncIterator[Counter[str]]:
    """A steady rate of short visits, each over a connection of its own and over kept ones; what became of them is counted."""
    seen: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def visit(method: str, keeps: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
        headers = {"Host": app.hosts[0]}
        async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers=headers, timeout=20, limits=limits) as client:
            while not is_over.is_set():
                try:
                    seen[str((await client.request(method, "/")).status_code)] += 1
                except httpx.HTTPError as error:
                    seen[repr(error)] += 1
                await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(visit(method, keeps)) for method in ("GET", "POST") for keeps in (False, True)]
    try:
        yield seen
    finally:
        is_over.set()
        await asyncio.gather(*tasks)


async def test_haproxy_replaced_under_load_refuses_nobody_and_ends_what_it_began(patient: Started, dynos: Dynos) -> None:
    rig, router = patient
    release = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not release.is_set():  # longer than anybody may be silent
            writer.write(b"a")
            await asyncio.sleep(0.3)
        writer.write(b"z")

    await router.apply(app := route(await dynos(answer())))
    await router.apply(long := route(await dynos(slow)))
    await written(rig, router)  # a change that is not is another test
    begun = asyncio.create_task(rig.get(long.hosts[0]))
    async with visitors(rig, app) as seen:
        for _ in range(3):
            before, count = rig.haproxy_ids(), seen["200"]
            rig.reload()

            async def is_replaced(before: list[int] = before, count: int = count) -> bool:
                return not set(rig.haproxy_ids()) <= set(before) and seen["200"] > count + 40

            await until(is_replaced)
    release.set()
    text = (await begun).text
    assert text.startswith("aa") and text.endswith("az")
    assert set(seen) == {"200"} and seen["200"] > 120, seen


async def test_a_router_of_another_version_is_replaced_with_its_routes(dynos: Dynos) -> None:
    async with running_haproxy(**PATIENT) as (rig, router):
        app = route(await dynos(answer()))
        await router.apply(app)
        await router.__aexit__(None, None, None)
        rig.stop()
        text = rig.settings.config.read_text()
        rig.settings.config.write_text(re.sub(rf"{STAMP_VARIABLE} \S+", f"{STAMP_VARIABLE} older", text))
        await rig.start()
        before = rig.haproxy_ids()
        async with visitors(rig, app) as seen, HAProxyRouter(rig.settings) as newer:

            async def is_replaced() -> bool:
                [answer] = await ask(rig.settings.socket, [f"show env {STAMP_VARIABLE}"])
                return "older" not in answer and "=" in answer

            await until(is_replaced)
            assert await newer.routes() == [app]
            await newer.apply(second := route(await dynos(answer())))
            assert (await rig.get(second.hosts[0])).status_code == 200
        assert set(seen) == {"200"} and not set(rig.haproxy_ids()) <= set(before)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_of_a_replaced_haproxy_has_its_next_request_answered(patient: Started, dynos: Dynos, method: str) -> None:
    rig, router = patient
    await router.apply(app := route(await dynos(answer())))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    request = f"{method} / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: 0\r\n\r\n".encode()
    writer.write(request)
    assert (await reader.readuntil(b"hello world\n")).startswith(b"HTTP/1.1 200")
    await written(rig, router)
    before = rig.haproxy_ids()
    rig.reload()

    async def is_replaced() -> bool:
        return not set(rig.haproxy_ids()) <= set(before) and "Proxy outside stopped" in rig.settings.log.read_text()

    await until(is_replaced)
    writer.write(request)
    said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 200") and b"connection: close" in said.lower(), said


async def test_haproxy_killed_at_once_after_a_change_comes_back_with_it(patient: Started, dynos: Dynos) -> None:
    rig, router = patient
    first, second = await dynos(answer(b"first")), await dynos(answer(b"second"))
    await router.apply(app := route(first))
    await router.apply(gone := route(first))
    await written(rig, router)
    await router.apply(replace(app, targets=(second.target(),)))
    await router.remove(gone.app_id)
    await router.apply(new := route(mode=RouteMode.STOPPED))
    rig.stop(kill=True)
    await rig.start()

    async def is_back() -> bool:
        try:
            texts = [(await rig.get(which.hosts[0])).text for which in (app, gone, new)]
        except httpx.ConnectError:  # not yet
            return False
        return texts[0] == "second" and "No such app" in texts[1] and "Application error" in texts[2]

    await until(is_back)
    assert {seen.app_id for seen in await router.routes()} == {app.app_id, new.app_id}
    assert (await lines_of(router, new.app_id))[-1].code == "H14"


async def test_haproxy_is_not_replaced_while_it_holds_up_visitors_until_their_app_has_a_dyno(dynos: Dynos) -> None:
    """The one that is replaced hears of no dyno any more."""
    async with running_haproxy(**PATIENT, boot_timeout_s=15.0) as (rig, router):
        apps = [route(mode=mode) for mode in (RouteMode.BOOT, RouteMode.IDLE, RouteMode.SERVE, RouteMode.STOPPED)]
        for app in apps:
            await router.apply(app)
        before = rig.haproxy_ids()
        visits = [asyncio.create_task(rig.get(app.hosts[0])) for app in apps[:3]]
        await asyncio.sleep(0.5)
        another = asyncio.create_task(router.apply(more := route(await dynos(answer(b"another")))))  # there is no room for it
        for app in apps[:3]:
            await asyncio.sleep(0.5)
            assert not another.done() and rig.haproxy_ids() == before
            await router.apply(replace(app, mode=RouteMode.SERVE, targets=((await dynos(answer())).target(),)))
        assert [(await visit).status_code for visit in visits] == [200] * 3
        await another
        assert rig.haproxy_ids() != before
        assert (await rig.get(more.hosts[0])).text == "another"


async def test_a_change_written_while_another_haproxy_started_from_the_files_of_before_is_told_to_that_one(
    patient: Started, dynos: Dynos, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, router = patient
    await router.apply(app := route(await dynos(answer(b"first"))))
    await written(rig, router)
    write, loop = files.save, asyncio.get_running_loop()

    def late(*given: object) -> None:
        """What was routed is known and not yet written, and HAProxy dies."""
        monkeypatch.setattr(files, "save", write)
        rig.stop(kill=True)
        asyncio.run_coroutine_threadsafe(rig.start(), loop).result(20)
        write(*given)  # type: ignore[arg-type]
        loop.call_soon_threadsafe(is_written.set)

    is_written = asyncio.Event()
    monkeypatch.setattr(files, "save", late)
    await router.apply(replace(app, targets=((await dynos(answer(b"second"))).target(),)))
    await asyncio.wait_for(is_written.wait(), 20)

    async def is_second() -> bool:
        try:
            return (await rig.get(app.hosts[0])).text == "second"
        except httpx.HTTPError:
            return False

    await until(is_second)
    await until(lambda: _serves_again(rig, app, b"second"))


async def _serves_again(rig: Rig, app: Route, text: bytes) -> bool:
    """Started once more, from what is written."""
    rig.stop(kill=True)
    await rig.start()
    return (await rig.get(app.hosts[0])).content == text
