"""Requests at the limits of their line and headers: just small enough reach the dyno whole, anything larger reaches none.

Source: Dev Center, http-routing (request limits); reliability catalogue, E5.
"""

from __future__ import annotations

import pytest

from senryu.routers.haproxy import HAProxyRouter

from .conftest import Dynos
from .rig import Rig, answer, route

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]
HOST = b"\r\nHost: HOST\r\n"
FITS = {
    "a request line of 8,192 bytes": b"GET /" + b"a" * (8192 - len("GET / HTTP/1.1")) + b" HTTP/1.1" + HOST,
    "a header line of 8,192 bytes": b"GET / HTTP/1.1" + HOST + b"X-A: " + b"a" * (8192 - len("x-a: ")) + b"\r\n",
    "900 headers": b"GET / HTTP/1.1" + HOST + b"X-A: b\r\n" * 900,
    "a method of its own": b"REPORT / HTTP/1.1" + HOST,
    "TRACE": b"TRACE / HTTP/1.1" + HOST,
    "a method of 127 bytes": b"M" * 127 + b" / HTTP/1.1" + HOST,
    "HTTP/1.0": b"GET / HTTP/1.0" + HOST,
    "two spaces, of which the dyno sees one": b"GET  / HTTP/1.1" + HOST,
}
IS_TOO_MUCH = {
    "a request line of 8,196 bytes": b"GET /" + b"a" * (8196 - len("GET / HTTP/1.1")) + b" HTTP/1.1" + HOST,
    "a header line of 8,193 bytes": b"GET / HTTP/1.1" + HOST + b"X-A: " + b"a" * (8193 - len("x-a: ")) + b"\r\n",
    "a header name of 8,200 bytes": b"GET / HTTP/1.1" + HOST + b"X" * 8200 + b": a\r\n",
    "1,001 headers": b"GET / HTTP/1.1" + HOST + b"X-A: b\r\n" * 1001,
    "headers over 32 kB together": b"GET / HTTP/1.1" + HOST + (b"X-A: " + b"b" * 8000 + b"\r\n") * 5,
    "CONNECT": b"CONNECT HOST:80 HTTP/1.1" + HOST,
}


@pytest.mark.parametrize("name", FITS)
async def test_what_fits_reaches_the_dyno(haproxy: Started, dynos: Dynos, name: str) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    received = await rig.send(FITS[name].replace(b"HOST", app.hosts[0].encode()) + b"\r\n")
    assert received.startswith(b"HTTP/1.1 200 "), received[:200]
    assert [head.split(b" ")[0] for head in dyno.heads] == [FITS[name].split(b" ")[0]]


@pytest.mark.parametrize("name", IS_TOO_MUCH)
async def test_what_is_too_much_is_refused_and_reaches_no_dyno(haproxy: Started, dynos: Dynos, name: str) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    received = await rig.send(IS_TOO_MUCH[name].replace(b"HOST", app.hosts[0].encode()) + b"\r\n")
    assert received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")), received[:200]
    assert received.count(b"HTTP/1.1 ") == 1
    assert dyno.heads == []
