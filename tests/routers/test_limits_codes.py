"""More than the router takes, of dynos and of visitors, and what is its own fault: H22, H24, H25, H26, H99 from their real causes."""

from __future__ import annotations

import asyncio
import re
import resource

import pytest

from senryu.core.codes import router_line
from senryu.core.route import Route, RouteMode
from senryu.routers.haproxy import HAProxyRouter

from .conftest import Dynos
from .rig import Behaviour, Rig, answer, lines_of, raw, route, running_haproxy, until

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]
APPLICATION_ERROR = "<h1>Application error</h1>"


def _with(*headers: str, status: str = "200 OK") -> Behaviour:
    return raw(f"HTTP/1.1 {status}\r\n{''.join(f'{h}{chr(13)}{chr(10)}' for h in headers)}Content-Length: 2\r\n\r\nok".encode())


@pytest.mark.parametrize(
    ("response", "restriction"),
    [
        (_with("Set-Cookie: a=1", "Set-Cookie: b=" + "b" * 8191), "oversized cookie"),
        (_with(status="200 " + "O" * 8180), "oversized status line"),
        (_with("X-A: b", "X-B: " + "c" * 9000, status="200 " + "O" * 9000), "oversized status line"),
    ],
)
async def test_h25_when_a_response_is_larger_than_visitors_can_take(
    haproxy: Started, dynos: Dynos, response: Behaviour, restriction: str
) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(response)))
    seen = await rig.get(app.hosts[0])
    assert seen.status_code == 502 and APPLICATION_ERROR in seen.text
    [line] = await lines_of(router, app.app_id)
    form = rf'at=error code=H25 desc="HTTP restriction: {restriction}" method=GET .* dyno=web.1 connect=\d+ms .* status=502 bytes=0 '
    assert re.match(form, router_line(line))


@pytest.mark.parametrize(
    "response",
    [
        _with("Set-Cookie: a=" + "a" * 8190),
        _with(status="200 " + "O" * 8179),
        _with("X: " + "a" * 20_000),
        _with(*["X-A: b"] * 900),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 19_998 + b"ok"),
    ],
    ids=["cookie", "status line", "header", "headers", "body"],
)
async def test_what_is_just_small_enough_reaches_the_visitor(haproxy: Started, dynos: Dynos, response: Behaviour) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(response)))
    seen = await rig.get(app.hosts[0])
    assert seen.status_code == 200 and seen.text.endswith("ok")


@pytest.mark.parametrize("first", [b"", b"5\r\nhello\r\n"], ids=["first", "second"])
async def test_h26_when_a_chunk_of_a_request_cannot_be_read(haproxy: Started, dynos: Dynos, first: bytes) -> None:
    async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        await reader.read()

    rig, router = haproxy
    dyno = await dynos(read_all)
    await router.apply(app := route(dyno))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + first)

    async def has_arrived() -> bool:
        return bool(dyno.heads)

    await until(has_arrived)
    writer.write(b"xyz\r\n")
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
    [line] = await lines_of(router, app.app_id)
    text = router_line(line)
    assert text.startswith('at=error code=H26 desc="Request Error" cause="bad chunk" method=POST') and "dyno=web.1 " in text
    assert "status=400" in text


async def test_h22_when_one_app_has_more_requests_under_way_than_it_may(dynos: Dynos) -> None:
    async with running_haproxy(app_connections=3, idle_timeout_s=10.0, first_byte_timeout_s=10.0) as (rig, router):
        silent, other = route(await dynos(raw(b"", then_silent=True))), route(await dynos(answer()))
        await router.apply(silent)
        await router.apply(other)
        await _is_refused_above(3, rig, router, silent, other)


async def test_h22_when_too_many_wait_for_an_app_to_boot(dynos: Dynos) -> None:
    async with running_haproxy(held_requests=3, boot_timeout_s=10.0) as (rig, router):
        booting, other = route(mode=RouteMode.BOOT), route(await dynos(answer()))
        await router.apply(booting)
        await router.apply(other)
        await _is_refused_above(3, rig, router, booting, other)


async def _is_refused_above(limit: int, rig: Rig, router: HAProxyRouter, busy: Route, other: Route) -> None:
    waiting = [asyncio.create_task(rig.get(busy.hosts[0])) for _ in range(limit + 2)]
    refused = [await one for one in (await asyncio.wait(waiting, timeout=5))[0]]
    assert [(seen.status_code, APPLICATION_ERROR in seen.text) for seen in refused] == [(503, True)] * 2
    assert (await rig.get(other.hosts[0])).status_code == 200
    lines = [router_line(line) for line in await lines_of(router, busy.app_id, count=2)]
    assert all(line.startswith('at=error code=H22 desc="Connection limit reached" method=GET') for line in lines)
    assert all("dyno= connect= service= status=503 bytes= protocol=http" in line for line in lines)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_h24_when_the_router_is_replaced_before_a_response_ends(dynos: Dynos) -> None:
    async with running_haproxy(forced_close_s=1.0, idle_timeout_s=20.0) as (rig, router):
        app = route(await dynos(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", then_silent=True)))
        await router.apply(app)
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
        writer.write(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\n\r\n".encode())
        await reader.readuntil(b"abc")
        rig.reload()
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        [line] = await lines_of(router, app.app_id)
    text = router_line(line)
    assert text.startswith('at=error code=H24 desc="Forced close" method=GET') and "dyno=web.1 " in text and " status= bytes=" in text


async def test_h99_when_an_app_could_not_boot_because_the_platform_was_away(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.BOOT))
    seen = await rig.get(app.hosts[0])
    assert seen.status_code == 503 and APPLICATION_ERROR in seen.text
    [line] = await lines_of(router, app.app_id)
    text = router_line(line)
    assert text.startswith('at=error code=H99 desc="Platform error" method=GET') and "dyno= connect= service= status=503 bytes= " in text


async def test_h99_when_the_router_can_open_nothing_more(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    first, second = route(await dynos(answer())), route(await dynos(answer()))
    for app in (first, second):
        await router.apply(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {first.hosts[0]}\r\n\r\n".encode())
    await reader.readuntil(b"hello world\n")
    [haproxy_id] = rig.haproxy_ids()
    limit = resource.prlimit(haproxy_id, resource.RLIMIT_NOFILE)
    resource.prlimit(haproxy_id, resource.RLIMIT_NOFILE, (1, limit[1]))
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {second.hosts[0]}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
    finally:
        resource.prlimit(haproxy_id, resource.RLIMIT_NOFILE, limit)
    writer.close()
    [line] = await lines_of(router, second.app_id)
    text = router_line(line)
    assert text.startswith('at=error code=H99 desc="Platform error" method=GET') and "status=503" in text
