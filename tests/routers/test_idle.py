"""Apps that sleep, at a real HAProxy: requests are held, the platform is told, and quiet is what it says."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from senryu.core.codes import router_line
from senryu.core.route import RouteMode
from senryu.routers.haproxy import HAProxyRouter

from .conftest import Dynos
from .rig import Rig, answer, lines_of, route, running_haproxy, until

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]


async def test_a_request_for_an_idle_app_is_held_and_told_of_until_the_app_serves(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.IDLE))
    visits = [asyncio.create_task(rig.get(app.hosts[0], method=method)) for method in ("GET", "POST", "GET")]
    async with asyncio.timeout(10):
        async for asked in router.waiting():
            assert asked == app.app_id
            break
    assert not any(visit.done() for visit in visits)
    dyno = await dynos(answer())
    await router.apply(route(dyno, app_id=app.app_id))
    assert [visit.status_code for visit in await asyncio.gather(*visits)] == [200, 200, 200]
    assert len(dyno.heads) == 3


async def test_who_waits_is_told_again_to_a_platform_that_was_away() -> None:
    async with running_haproxy(boot_timeout_s=8.0) as (rig, router):
        await router.apply(app := route(mode=RouteMode.IDLE))
        await router.__aexit__(None, None, None)
        visit = asyncio.create_task(rig.get(app.hosts[0]))
        await asyncio.sleep(0)
        await router.__aenter__()
        async with asyncio.timeout(10):
            async for asked in router.waiting():
                assert asked == app.app_id
                break
        visit.cancel()


async def test_an_app_out_of_hours_is_h82_with_a_page_that_says_so(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.EXHAUSTED))
    seen = await rig.get(app.hosts[0])
    assert seen.status_code == 503 and "No dyno hours left" in seen.text
    [line] = await lines_of(router, app.app_id)
    assert 'at=info code=H82 desc="Free dyno quota exhausted" method=GET' in router_line(line)


async def test_quiet_is_the_time_since_a_request_or_nothing_while_one_is_under_way(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    release = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        if b"GET /ws" in head:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip
            while not release.is_set():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.2)
        else:
            await answer()(reader, writer, head)

    app, other = route(await dynos(slow)), route(await dynos(answer()))
    await router.apply(app)
    await router.apply(other)

    async def quiet(app_id: object, at_least_s: float) -> bool:
        return {str(key): value for key, value in (await router.quiet_s()).items()}[str(app_id)] >= at_least_s

    await until(lambda: quiet(app.app_id, 2.0))
    async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}) as kept:
        for _ in range(2):  # also over a connection that is open already
            assert (await kept.get("/")).status_code == 200
            assert not await quiet(app.app_id, 1.9)
            await until(lambda: quiet(app.app_id, 2.0))
    assert await quiet(other.app_id, 2.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    head = f"GET /ws HTTP/1.1\r\nHost: {app.hosts[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    for _ in range(15):
        assert not await quiet(app.app_id, 0.01)
        await asyncio.sleep(0.2)
    release.set()
    writer.close()
    assert not await quiet(app.app_id, 1.5)
    await until(lambda: quiet(app.app_id, 2.0))
