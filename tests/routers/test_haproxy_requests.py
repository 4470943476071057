"""What dynos get to see of a request, and what they must never see."""

from __future__ import annotations

import asyncio
import re

import pytest

from senryu.core.codes import router_line
from senryu.core.route import RouteMode
from senryu.routers.haproxy import HAProxyRouter
from senryu.routers.haproxy.request_log import request_line

from .conftest import Dynos
from .rig import Rig, answer, lines_of, route

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]


def _headers(head: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


async def _seen(started: Started, dynos: Dynos, **headers: str) -> dict[str, list[str]]:
    rig, router = started
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    await rig.get(app.hosts[0], headers=headers)
    return _headers(dyno.heads[0])


async def test_the_dyno_is_told_who_asked_how_and_when(haproxy: Started, dynos: Dynos) -> None:
    seen = await _seen(haproxy, dynos)
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert seen["x-forwarded-port"] == [str(haproxy[0].settings.port)]
    assert seen["via"] == ["1.1 senryu"]
    assert re.fullmatch(r"\d{13}", seen["x-request-start"][0])
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", seen["x-request-id"][0])


async def test_what_a_visitor_says_of_itself_is_added_to_or_replaced(haproxy: Started, dynos: Dynos) -> None:
    seen = await _seen(
        haproxy, dynos,
        **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "gopher", "X-Forwarded-Port": "1", "X-Request-Start": "7",
           "X_Forwarded_For": "6.6.6.6", "Via": "1.0 cache", "X-Request-Id": "abcdefghij0123456789"},
    )  # fmt: skip
    assert seen["x-forwarded-for"] == ["203.0.113.9, 127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"] and seen["x-forwarded-port"] != ["1"] and seen["x-request-start"] != ["7"]
    assert seen["x-request-id"] == ["abcdefghij0123456789"]
    assert ", ".join(seen["via"]) == "1.0 cache, 1.1 senryu"
    assert "x_forwarded_for" not in seen


@pytest.mark.parametrize("request_id", ["short", "x" * 201, "spaces are not allowed here"])
async def test_a_bad_request_id_is_replaced(haproxy: Started, dynos: Dynos, request_id: str) -> None:
    seen = await _seen(haproxy, dynos, **{"X-Request-Id": request_id})
    assert len(seen["x-request-id"]) == 1 and len(seen["x-request-id"][0]) == 36


async def test_hop_by_hop_headers_stay_here(haproxy: Started, dynos: Dynos) -> None:
    seen = await _seen(haproxy, dynos, **{"Connection": "X-Forwarded-For, Host", "TE": "trailers", "Keep-Alive": "timeout=5",
                                          "Proxy-Authorization": "Basic eA==", "Trailer": "X"})  # fmt: skip
    assert seen["connection"] == ["close"] and "x-forwarded-for" in seen and "host" in seen
    assert not {"te", "keep-alive", "proxy-authorization", "trailer"} & set(seen)


async def test_the_host_goes_through_as_it_was_sent(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno, host="shop.example.com"))
    for host in ("Shop.Example.COM", "shop.example.com.", f"shop.example.com:{rig.settings.port}"):
        assert (await rig.get(host)).status_code == 200
        assert _headers(dyno.heads[-1])["host"] == [host]
    assert app.hosts == ("shop.example.com",)


async def test_the_nearest_wildcard_wins_and_an_exact_host_beats_it(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    for host in ("*.example.com", "*.eu.example.com", "shop.eu.example.com"):
        await router.apply(route(await dynos(answer(host.encode())), host=host))
    expected = {
        "a.example.com": "*.example.com",
        "a.b.example.com": "*.example.com",
        "a.eu.example.com": "*.eu.example.com",
        "shop.eu.example.com": "shop.eu.example.com",
    }
    assert {host: (await rig.get(host)).text for host in expected} == expected
    assert (await rig.get("example.com")).status_code == 404


BAD = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no host in 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "two different hosts": b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: other\r\n\r\n",
    "host with a path": b"GET / HTTP/1.1\r\nHost: HOST/x\r\n\r\n",
    "host with NUL": b"GET / HTTP/1.1\r\nHost: HO\0ST\r\n\r\n",
    "another host in the line": b"GET http://other/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "connect": b"CONNECT HOST:443 HTTP/1.1\r\nHost: HOST:443\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "length list": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 10, 11\r\n\r\nx",
    "signed length": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +1\r\n\r\nx",
    "negative length": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\nx",
    "hexadecimal length": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0x1\r\n\r\nx",
    "underscored length": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1_0\r\n\r\nx",
    "empty length": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: \r\n\r\nx",
    "xchunked": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked with a control byte": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-A : b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-A\r\n\r\n",
    "empty header name": b"GET / HTTP/1.1\r\nHost: HOST\r\n: b\r\n\r\n",
    "leading space": b"GET / HTTP/1.1\r\n Host: HOST\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-A: a\0b\r\n\r\n",
    "CR in a value": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-A: a\rb\r\n\r\n",
    "HTTP/1.32": b"GET / HTTP/1.32\r\nHost: HOST\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "junk method": b"G\x01T / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "long request line": b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-A: " + b"a" * 8192 + b"\r\n\r\n",
    "1,001 headers": b"GET / HTTP/1.1\r\nHost: HOST\r\n" + b"a: b\r\n" * 1001 + b"\r\n",
}


@pytest.mark.parametrize("request_name", BAD)
async def test_a_request_that_could_be_read_in_two_ways_is_refused(haproxy: Started, dynos: Dynos, request_name: str) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    received = await rig.send(BAD[request_name].replace(b"HOST", app.hosts[0].encode()))
    assert received.startswith(b"HTTP/1.1 400 ") and received.count(b"HTTP/1.1 ") == 1
    assert dyno.heads == []


BODIES = {
    "length and chunked": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 50\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "bad chunk size": b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "signed chunk size": b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "underscored chunk size": b"Transfer-Encoding: chunked\r\n\r\n0_5\r\nhello\r\n0\r\n\r\n",
    "chunked in 1.0": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
}


@pytest.mark.parametrize("body_name", BODIES)
async def test_no_second_request_reaches_a_dyno_inside_the_first(haproxy: Started, dynos: Dynos, body_name: str) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    version = b"1.0" if body_name.endswith("1.0") else b"1.1"
    request = b"POST / HTTP/" + version + b"\r\nHost: HOST\r\n" + BODIES[body_name]
    received = await rig.send(request.replace(b"HOST", app.hosts[0].encode()))
    assert not any(head.startswith(b"GET /smuggled") for head in dyno.heads)
    for head in dyno.heads:
        assert not {"content-length", "transfer-encoding"} <= set(_headers(head))
    assert received.count(b"HTTP/1.1 ") <= 1


async def test_a_host_said_twice_reaches_the_dyno_once(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    await rig.send(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nHost: {app.hosts[0]}\r\n\r\n".encode())
    assert [_headers(head)["host"] for head in dyno.heads] == [list(app.hosts)]


async def test_only_100_continue_can_be_expected(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.STOPPED))
    response = await rig.get(app.hosts[0], headers={"Expect": "200-ok"})
    assert response.status_code == 417


async def test_the_router_itself_says_100_continue(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy

    async def read_five(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        await answer(await reader.readexactly(5))(reader, writer, head)

    dyno = await dynos(read_five)
    await router.apply(app := route(dyno))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 100 ")
    writer.write(b"12345")
    assert (await asyncio.wait_for(reader.readuntil(b"12345"), 5)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert "expect" not in _headers(dyno.heads[0])


async def test_a_visitor_that_trickles_its_headers_is_cut(haproxy: Started) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", haproxy[0].settings.port)
    writer.write(b"GET / HTTP/1.1\r\nHo")
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 408 ")
    writer.close()


HOSTILE = '"%20status=500\\",500,"x'
FORGERS = {
    "path": ("GET", f"/{HOSTILE}", "HOST", ""),
    "path of a request that is not plain": ("PUT", f"/{HOSTILE}", "HOST", "Content-Length: 0\r\n"),
    "method": ('G"T', "/", "HOST", ""),
    "host": ("GET", "/", f"{HOSTILE}.localhost", ""),
    "host beside another": ("GET", "/", "HOST", f"Host: {HOSTILE}\r\n"),
    "addresses": ("GET", "/", "HOST", f"X-Forwarded-For: 9.9.9.9{HOSTILE}\r\n"),
    "id": ("GET", "/", "HOST", f"X-Request-Id: {HOSTILE}{HOSTILE}\r\n"),
}


@pytest.mark.parametrize("where", FORGERS)
async def test_no_hostile_request_can_forge_a_log_line(haproxy: Started, dynos: Dynos, where: str) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(answer())))
    method, path, host, more = FORGERS[where]
    host = host.replace("HOST", app.hosts[0])
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n"
    before = len(rig.settings.log.read_bytes())
    status = int((await rig.send(request.encode())).split()[1])
    await rig.get(app.hosts[0], "/the-end")
    await lines_of(router, app.app_id, 2 if status == 200 else 1)
    lines = [line for raw in rig.settings.log.read_bytes()[before:].splitlines() if (line := request_line(raw.lstrip(b"\0"), 1))]
    [line] = [line for line in lines if line.status == status and line.path != "/the-end"]
    assert len(lines) == 2
    assert where != "path" or line.path == path
    assert where != "addresses" or line.fwd == f"9.9.9.9{HOSTILE}, 127.0.0.1"
    told = router_line(line)
    assert f"status={status} " in told and " status=500" not in told
