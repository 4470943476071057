"""Each H code from its real cause: what the visitor gets, and what the app's log says."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from senryu.core.codes import router_line
from senryu.core.route import Route, RouteMode
from senryu.routers.haproxy import HAProxyRouter

from .conftest import Dynos
from .rig import Behaviour, Dyno, Rig, answer, lines_of, raw, route, running_haproxy, until

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]
APPLICATION_ERROR = "<h1>Application error</h1>"


@pytest.fixture
async def platform(haproxy: Started) -> AsyncIterator[None]:
    """The platform's own socket, with somebody behind it: else what does not boot is the platform's fault (H99)."""
    async with await asyncio.start_unix_server(lambda _, writer: writer.close(), haproxy[0].settings.platform_socket):
        yield


async def _visit(started: Started, visited: Route, path: str = "/", **more: object) -> tuple[int, str, str]:
    """Status and page as the visitor sees them, and the text in the app's log."""
    rig, router = started
    await router.apply(visited)
    response = await rig.get(visited.hosts[0], path, **more)
    [line] = await lines_of(router, visited.app_id)
    return response.status_code, response.text, router_line(line)


async def test_a_good_request_is_told_as_heroku_tells_it(haproxy: Started, dynos: Dynos) -> None:
    dyno = await dynos(answer())
    app = route(dyno)
    status, page, text = await _visit(haproxy, app, "/search?q=1")
    assert (status, page) == (200, "hello world\n")
    form = (
        rf'at=info method=GET path="/search\?q=1" host={app.hosts[0]} request_id=[0-9a-f-]{{36}} fwd="127.0.0.1" '
        r"dyno=web.1 connect=\d+ms service=\d+ms status=200 bytes=\d+ protocol=http"
    )
    assert re.fullmatch(form, text)


@pytest.mark.parametrize(
    ("mode", "code", "page"),
    [
        (RouteMode.CRASHED, 'at=error code=H10 desc="App crashed"', APPLICATION_ERROR),
        (RouteMode.STOPPED, 'at=error code=H14 desc="No web processes running"', APPLICATION_ERROR),
        (RouteMode.MAINTENANCE, 'at=info code=H80 desc="Maintenance mode"', "<h1>Offline for maintenance</h1>"),
        (RouteMode.BLANK, 'at=info code=H81 desc="Blank app"', "<h1>Nothing here yet</h1>"),
        (RouteMode.BOOT, 'at=error code=H20 desc="App boot timeout"', APPLICATION_ERROR),
    ],
)
@pytest.mark.usefixtures("platform")
async def test_an_app_that_takes_no_requests_is_answered_for(haproxy: Started, mode: RouteMode, code: str, page: str) -> None:
    status, seen, text = await _visit(haproxy, route(mode=mode))
    assert status == 503 and page in seen
    assert text.startswith(code)
    assert "dyno= connect= service= status=503 bytes= protocol=http" in text


@pytest.mark.usefixtures("platform")
async def test_serving_without_any_dyno_for_too_long_is_h20(haproxy: Started) -> None:
    status, page, text = await _visit(haproxy, route(mode=RouteMode.SERVE))
    assert status == 503 and APPLICATION_ERROR in page and "code=H20" in text


async def test_h12_when_no_byte_comes_in_time(haproxy: Started, dynos: Dynos) -> None:
    status, page, text = await _visit(haproxy, route(await dynos(raw(b"", then_silent=True))))
    assert status == 503 and APPLICATION_ERROR in page
    assert text.startswith('at=error code=H12 desc="Request timeout" method=GET')
    assert re.search(r"dyno=web.1 connect=\d+ms service=1\d\d\dms status=503 bytes=0 protocol=http", text)


async def test_h12_counts_from_the_end_of_a_streamed_upload(haproxy: Started, dynos: Dynos) -> None:
    async def upload() -> object:
        for _ in range(4):
            yield b"x" * 1000
            await asyncio.sleep(0.5)

    async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        await answer()(reader, writer, head)

    status, page, _ = await _visit(haproxy, route(await dynos(read_all)), method="POST", content=upload())
    assert (status, page) == (200, "hello world\n")


async def test_h12_for_a_streamed_upload_that_gets_no_answer(haproxy: Started, dynos: Dynos) -> None:
    status, page, text = await _visit(haproxy, route(await dynos(raw(b"", then_silent=True))), method="POST", content=b"x" * 40_000)
    assert status == 503 and APPLICATION_ERROR in page and "code=H12" in text


async def test_a_dyno_may_be_silent_longer_after_its_first_byte(haproxy: Started, dynos: Dynos) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await asyncio.sleep(1.5)
        writer.write(b"cd")

    status, page, text = await _visit(haproxy, route(await dynos(slow)))
    assert (status, page) == (200, "abcd") and text.startswith("at=info method")


async def test_h13_when_the_dyno_closes_without_a_byte(haproxy: Started, dynos: Dynos) -> None:
    status, page, text = await _visit(haproxy, route(await dynos(raw(b""))))
    assert status == 503 and APPLICATION_ERROR in page
    assert text.startswith('at=error code=H13 desc="Connection closed without response"')
    assert "status=503 bytes=0" in text


async def test_h15_when_the_dyno_goes_silent_half_way(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    app = route(await dynos(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", then_silent=True)))
    await router.apply(app)
    assert (await _raw_get(rig, app)).endswith(b"abc")
    [line] = await lines_of(router, app.app_id)
    assert 'code=H15 desc="Idle connection"' in router_line(line)


GARBAGE = {
    "no HTTP": b"whatever\r\n\r\n",
    "HTTP/0.9": b"hello",
    "two-digit status": b"HTTP/1.1 20 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a header of 1 MB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nX\0: a\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_h17_when_the_answer_is_not_http(haproxy: Started, dynos: Dynos, name: str) -> None:
    status, page, text = await _visit(haproxy, route(await dynos(raw(GARBAGE[name]))))
    assert status == 503 and APPLICATION_ERROR in page and "code=H17" in text


async def test_an_answer_with_two_framings_leaves_with_one(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    two = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    await router.apply(app := route(await dynos(raw(two))))
    received = await _raw_get(rig, app)
    assert b"content-length" not in received.lower() and received.endswith(b"5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("head", ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
async def test_h18_when_the_dyno_dies_half_way_and_the_visitor_can_tell(haproxy: Started, dynos: Dynos, head: str) -> None:
    rig, router = haproxy
    app = route(await dynos(raw(f"HTTP/1.1 200 OK\r\n{head}".encode())))
    await router.apply(app)
    received = await _raw_get(rig, app)
    assert b"abc" in received and not received.endswith(b"0\r\n\r\n")
    [line] = await lines_of(router, app.app_id)
    text = router_line(line)
    assert text.startswith('sock=backend at=error code=H18 desc="Server Request Interrupted" method=GET')
    assert "status=503" in text


async def test_h19_when_the_dyno_does_not_take_connections(haproxy: Started, dynos: Dynos) -> None:
    with socket.socket() as deaf:  # a full backlog: the kernel drops what comes
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        dyno = Dyno(answer(), port=deaf.getsockname()[1])
        status, page, text = await _visit(haproxy, route(dyno))
        for one in waiting:
            one.close()
    assert status == 503 and APPLICATION_ERROR in page
    assert text.startswith('at=error code=H19 desc="Backend connection timeout"')


async def test_h21_when_the_dyno_refuses(haproxy: Started, dynos: Dynos) -> None:
    gone = await Dyno(answer()).start()
    gone.stop()
    status, page, text = await _visit(haproxy, route(gone))
    assert status == 503 and APPLICATION_ERROR in page
    assert text.startswith('at=error code=H21 desc="Backend connection refused"')


async def _flow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
    while True:
        writer.write(b"x" * 100)
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("behaviour", [_flow, raw(b"", then_silent=True)], ids=["half way", "before the answer"])
async def test_h27_when_the_visitor_leaves(haproxy: Started, dynos: Dynos, behaviour: Behaviour) -> None:
    rig, router = haproxy
    dyno = await dynos(behaviour)
    app = route(dyno)
    await router.apply(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\n\r\n".encode())
    if behaviour is _flow:
        await reader.readuntil(b"abc")

    async def has_arrived() -> bool:
        return bool(dyno.heads)

    await until(has_arrived)
    writer.close()
    [line] = await lines_of(router, app.app_id)
    text = router_line(line)
    assert text.startswith('sock=client at=warning code=H27 desc="Client Request Interrupted"') and "status=499" in text


async def test_h27_when_the_visitor_of_a_booting_app_leaves(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.BOOT))
    _, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\n\r\n".encode())
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.close()
    [line] = await lines_of(router, app.app_id)
    assert "code=H27" in router_line(line)


async def test_h28_when_the_visitor_stops_sending(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    app = route(await dynos(raw(b"", then_silent=True)))
    await router.apply(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: 100\r\n\r\nabc".encode())
    await reader.read()
    writer.close()
    [line] = await lines_of(router, app.app_id)
    assert 'at=warning code=H28 desc="Client Connection Idle"' in router_line(line)


async def test_h11_when_too_many_wait(dynos: Dynos) -> None:
    async with running_haproxy(dyno_requests=1, first_byte_timeout_s=10.0, idle_timeout_s=10.0) as (rig, router):
        app = route(await dynos(raw(b"", then_silent=True)))
        await router.apply(app)
        waiting = [asyncio.create_task(rig.get(app.hosts[0])) for _ in range(60)]
        lines = await lines_of(router, app.app_id, count=1)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert 'at=error code=H11 desc="Backlog too deep"' in router_line(lines[0])


async def test_an_unknown_host_is_told_that_there_is_no_such_app(haproxy: Started) -> None:
    response = await haproxy[0].get("nobody.localhost")
    assert response.status_code == 404 and "<h1>No such app</h1>" in response.text


@pytest.mark.parametrize("status", ["500 Mine", "502 Mine", "503 Mine", "504 Mine", "404 Mine"])
async def test_an_apps_own_errors_pass_untouched(haproxy: Started, dynos: Dynos, status: str) -> None:
    seen, page, text = await _visit(haproxy, route(await dynos(answer(b"mine", status=status))))
    assert (seen, page) == (int(status[:3]), "mine")
    assert text.startswith("at=info method") and f"status={status[:3]}" in text


async def test_an_apps_own_pages_are_shown_in_a_frame(haproxy: Started) -> None:
    app = replace(
        route(mode=RouteMode.CRASHED),
        error_page_url="https://e.example.com/?a=1&b=2",
        maintenance_page_url="https://m.example.com/",
    )
    _, page, _ = await _visit(haproxy, app)
    assert '<iframe src="https://e.example.com/?a=1&amp;b=2"' in page and APPLICATION_ERROR not in page
    rig, router = haproxy
    await router.apply(replace(app, mode=RouteMode.MAINTENANCE))
    assert '<iframe src="https://m.example.com/"' in (await rig.get(app.hosts[0])).text
    await router.apply(replace(app, error_page_url=None))
    assert APPLICATION_ERROR in (await rig.get(app.hosts[0])).text


async def _raw_get(rig: Rig, app: Route) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\n\r\n".encode())
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_h26_when_the_visitor_expects_what_there_is_not(haproxy: Started, dynos: Dynos) -> None:
    status, _, text = await _visit(haproxy, route(await dynos(answer())), headers={"Expect": "200-ok"})
    assert status == 417
    assert (
        text.startswith('at=error code=H26 desc="Request Error" cause="unsupported expect header value" method=GET')
        and "status=417" in text
    )


async def test_h26_when_a_header_is_too_long(haproxy: Started, dynos: Dynos) -> None:
    status, page, text = await _visit(haproxy, route(await dynos(answer())), headers={"X-A": "a" * 8192})
    assert status == 400 and "<h1>Bad request</h1>" in page
    assert "code=H26" in text and "dyno= connect= service= status=400 bytes= " in text
