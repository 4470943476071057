"""Requests that two servers may read in two ways, byte by byte.

Each is for the path `/p` and of one request only, whatever it looks like; a second one, for `/smuggled-000`, hides in its body or head.
Source: RFC 9112, 6 and 7; narfindustries/http-garden (its list of what servers and proxies got wrong).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

INNER: Final = b"GET /smuggled-000 HTTP/1.1\r\nHost: a.localhost\r\n\r\n"
_LENGTH: Final = len(INNER)
_CHUNKS: Final = b"0\r\n\r\n" + INNER


def _post(*headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"".join(line + b"\r\n" for line in (b"POST /p HTTP/" + version, b"Host: HOST", *headers, b"")) + body


def _get(*headers: bytes, line: bytes = b"GET /p HTTP/1.1") -> bytes:
    return b"".join(text + b"\r\n" for text in (line, b"Host: HOST", *headers, b""))


def _encoded(*encodings: bytes) -> bytes:
    """Whoever takes the encoding sees an empty body and a second request; whoever takes the length sees one."""
    return _post(b"Content-Length: %d" % len(_CHUNKS), *encodings, body=_CHUNKS)


def _long(length: bytes) -> bytes:
    """A body that is a request, for whoever cannot read its length."""
    return _post(b"Content-Length: " + length, body=INNER)


def _chunk(size: bytes) -> bytes:
    """One chunk that is a request, for whoever reads another size."""
    return _post(b"Transfer-Encoding: chunked", body=size + b"\r\n" + INNER + b"\r\n0\r\n\r\n")


TWO_FRAMINGS: Final[Mapping[str, bytes]] = {
    "CL.TE": _encoded(b"Transfer-Encoding: chunked"),
    "TE.CL": _post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"%x\r\n%b\r\n0\r\n\r\n" % (_LENGTH, INNER)),
    "CL.TE in 1.0": _post(b"Content-Length: %d" % len(_CHUNKS), b"Transfer-Encoding: chunked", body=_CHUNKS, version=b"1.0"),
    "CL.TE in capitals": _encoded(b"TRANSFER-ENCODING: CHUNKED"),
    "CL.TE of equal length": _post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
}
ENCODINGS: Final[Mapping[str, bytes]] = {
    "xchunked": _encoded(b"Transfer-Encoding: xchunked"),
    "comma before": _encoded(b"Transfer-Encoding: ,chunked"),
    "comma behind": _encoded(b"Transfer-Encoding: chunked,"),
    "vertical tab": _encoded(b"Transfer-Encoding: \x0bchunked"),
    "no-break spaces": _encoded(b"Transfer-Encoding: \xa0chunked\xa0"),
    "tab": _encoded(b"Transfer-Encoding:\tchunked"),
    "two encodings": _encoded(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "two encodings, chunked last": _encoded(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
    "space before colon": _encoded(b"Transfer-Encoding : chunked"),
    "quoted": _encoded(b'Transfer-Encoding: "chunked"'),
    "folded": _encoded(b"Transfer-Encoding:\r\n chunked"),
    "underscore": _encoded(b"Transfer_Encoding: chunked"),
    "gzip, chunked": _encoded(b"Transfer-Encoding: gzip, chunked"),
    "chunked, gzip": _post(b"Transfer-Encoding: chunked, gzip", body=_CHUNKS),
    "chunked twice": _post(b"Transfer-Encoding: chunked, chunked", body=_CHUNKS),
    "chunked in 1.0": _post(b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (_LENGTH, INNER), version=b"1.0"),
    "after a bare CR": _encoded(b"X-A: b\rTransfer-Encoding: chunked"),
    "after NUL": _encoded(b"X-A: b\0Transfer-Encoding: chunked"),
    "\\x85": _encoded(b"Transfer-Encoding: \x85chunked"),
}
LENGTHS: Final[Mapping[str, bytes]] = {
    name: _long(value)
    for name, value in {
        "+": b"+%d" % _LENGTH,
        "-": b"-%d" % _LENGTH,
        "hexadecimal": b"0x%x" % _LENGTH,
        "underscore": b"%d_%d" % divmod(_LENGTH, 10),
        "leading zero": b"0%d" % _LENGTH,
        "empty": b"",
        "list": b"%d,%d" % (_LENGTH, _LENGTH),
        "list of two": b"%d, %d" % (_LENGTH, _LENGTH + 1),
        "letter": b"%dZ" % _LENGTH,
        "fraction": b"%d.0" % _LENGTH,
        "vertical tab": b"\x0b%d" % _LENGTH,
        "too large": b"18446744073709551616",
        "wraps": b"%d" % (2**64 + _LENGTH),
    }.items()
} | {
    "two equal": _post(b"Content-Length: %d" % _LENGTH, b"Content-Length: %d" % _LENGTH, body=INNER),
    "two different": _post(b"Content-Length: 0", b"Content-Length: %d" % _LENGTH, body=INNER),
    "two different, large first": _post(b"Content-Length: %d" % _LENGTH, b"Content-Length: 0", body=INNER),
    "space before colon": _post(b"Content-Length : 0", b"Content-Length: %d" % _LENGTH, body=INNER),
    "underscore in the name": _post(b"Content_Length: 0", b"Content-Length: %d" % _LENGTH, body=INNER),
}  # fmt: skip
CHUNKS: Final[Mapping[str, bytes]] = {
    "underscore": _chunk(b"0_%x" % _LENGTH),
    "+": _chunk(b"+%x" % _LENGTH),
    "-": _chunk(b"-%x" % _LENGTH),
    "0x": _chunk(b"0x%x" % _LENGTH),
    "empty": _chunk(b""),
    "leading space": _chunk(b" %x" % _LENGTH),
    "two CRs": _chunk(b"%x\r" % _LENGTH),
    "two CRs and an extension": _chunk(b"%x\r\r;a" % _LENGTH),
    "CR in an extension": _chunk(b"%x;a\rb" % _LENGTH),
    "LF in an extension": _chunk(b"%x;a\nb" % _LENGTH),
    "extension": _chunk(b"%x;a=b" % _LENGTH),
    "too large": _chunk(b"1%016x" % _LENGTH),
    "LF only": _post(b"Transfer-Encoding: chunked", body=b"%x\n%b\n0\n\n" % (_LENGTH, INNER)),
    "no end": _post(b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n" % (_LENGTH, INNER)),
    "trailer without end": _post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX:" + INNER[:-2]),
    "trailer with a length": _post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "data longer than its size": _post(b"Transfer-Encoding: chunked", body=b"1\r\nhello\r\n0\r\n\r\n"),
}
HEADS: Final[Mapping[str, bytes]] = {
    "leading tab": _get(b"\tX-A: b"),
    "folded": _get(b"X-A: b", b" c"),
    "empty name": _get(b": b"),
    "no colon": _get(b"X-A"),
    "NUL in a value": _get(b"X-A: a\0b"),
    "CR in a value": _get(b"X-A: a\r" + INNER),
    "\\x85 in a value": _get(b"X-A: a\x85b"),
    "LF in the line": _get(line=b"GET /p\n HTTP/1.1"),
    "bare CRs": b"GET /p HTTP/1.1\rHost: HOST\r\r" + INNER,
    "bare CR in the line": _get(line=b"GET /p\rX: HTTP/1.1"),
    "another host in the line": _get(line=b"GET http://another.example.com/p HTTP/1.1"),
    "two hosts": _get(b"Host: another.example.com"),
    "host with NUL": b"GET /p HTTP/1.1\r\nHost: HO\0ST\r\n\r\n",
    "junk method": _get(line=b"G\x01T /p HTTP/1.1"),
    "method with a colon": _get(line=b"GET: /p HTTP/1.1"),
    "HTTP/1.32": _get(line=b"GET /p HTTP/1.32"),
    "HTTP/2.0": _get(line=b"GET /p HTTP/2.0"),
    "HTTP/0.9": b"GET /p\r\n\r\n" + INNER,
    "hop by hop: X-Forwarded-For": _get(b"Connection: X-Forwarded-For, Via"),
    "hop by hop: Host": _get(b"Connection: close, Host"),
    "hop by hop: Content-Length": _post(b"Connection: Content-Length", b"Content-Length: %d" % _LENGTH, body=INNER),
    "GET with a body": b"GET /p HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\n\r\n%b" % (_LENGTH, INNER),
    "HEAD with a body": b"HEAD /p HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\n\r\n%b" % (_LENGTH, INNER),
    "upgrade with a body": _post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % _LENGTH, body=INNER),
    "upgrade to h2c": _post(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        b"Content-Length: %d" % _LENGTH, body=INNER,
    ),
    "expectation with a body at once": _post(b"Expect: 100-continue", b"Content-Length: %d" % _LENGTH, body=INNER),
    "expectation of something else": _post(b"Expect: 100-continue, x", b"Content-Length: %d" % _LENGTH, body=INNER),
}  # fmt: skip
PAYLOADS: Final[Mapping[str, bytes]] = {
    f"{kind}: {name}": payload
    for kind, payloads in (
        ("framing", TWO_FRAMINGS), ("encoding", ENCODINGS), ("length", LENGTHS), ("chunk", CHUNKS), ("head", HEADS),
    )
    for name, payload in payloads.items()
}  # fmt: skip
REFUSED: Final = tuple(f"HTTP/1.1 {status} ".encode() for status in (400, 408, 417, 422, 501))


@dataclass(frozen=True)
class Replayed:
    """What came of one payload: what the visitor read, whether the connection was closed, what the server saw (method, path, Via)."""

    received: bytes
    is_closed: bool
    seen: tuple[tuple[str, str, str], ...]


def numbered(payload: bytes, number: int, host: str) -> bytes:
    """The payload with its number in its path and the app's host. The hidden request keeps its length."""
    inner = INNER.replace(b"/smuggled-000", b"/smuggled-%03d" % number)
    return payload.replace(INNER, inner).replace(b"HOST", host.encode()).replace(b"/p", b"/p%d" % number, 1)


def replayed(said: Iterable[tuple[bytes, bool]], seen: str) -> dict[str, Replayed]:
    """By name, from what visitors read and what a server of `origins` wrote of all of them."""
    requests = [tuple(json.loads(line)) for line in seen.splitlines()]
    return {
        name: Replayed(*one, tuple(r for r in requests if r[1] in (f"/p{number}", f"/smuggled-{number:03}")))
        for number, (name, one) in enumerate(zip(PAYLOADS, said, strict=True))
    }


def check(one: Replayed) -> None:
    """The server saw one request at most, through the router; or the visitor was refused and hung up on."""
    assert [path for _, path, _ in one.seen if path.startswith("/smuggled")] == []
    assert len(one.seen) <= 1
    assert all(via.endswith("1.1 senryu") for _, _, via in one.seen), "it did not come through the router"
    if not one.seen:
        assert one.received.startswith(REFUSED), one.received[:200]
        assert one.is_closed
    assert one.received.count(b"HTTP/1.1 ") - one.received.count(b"HTTP/1.1 100 ") <= 1


def check_two_framings(one: Replayed) -> None:
    """RFC 9112, 6.3 allows two ways. HAProxy 2.6 drops the length before any rule sees it, so refusing with 400 is not to be had."""
    assert one.is_closed
    assert one.received.count(b"HTTP/1.1 ") == 1
    assert [path for _, path, _ in one.seen if path.startswith("/smuggled")] == []
