"""A gigabyte up, a gigabyte down and a WebSocket, each begun before a deploy and going on through it.

Source: Dev Center, preboot, http-routing, websockets; decisions/0011: old dynos finish what they have, for 30 s.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from .ill_mannered import head
from .person import App, Person, new_app
from .rig import Copy, eventually

GIB, MIB = 1 << 30, 1 << 20
APP = r"""
import asyncio, hashlib, os

VERSION = os.environ["HEROKU_RELEASE_VERSION"].encode()
CHUNK = bytes(range(256)) * 4096


async def down(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Version: %b\r\n\r\n" % (1 << 30, VERSION))
    for _ in range(1024):
        writer.write(CHUNK)
        await writer.drain()


async def up(reader, writer):
    digest, left = hashlib.sha256(), 1 << 30
    while left:
        chunk = await reader.read(min(left, 1 << 20))
        if not chunk:
            return
        left -= len(chunk)
        digest.update(chunk)
    said = digest.hexdigest().encode() + b" " + VERSION
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


async def echo(reader, writer):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    while line := await reader.readline():
        writer.write(VERSION + b" " + line)
        await writer.drain()


async def serve(reader, writer):
    try:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        if path == b"/down":
            await down(writer)
        elif path == b"/up":
            await up(reader, writer)
        elif path == b"/echo":
            await echo(reader, writer)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(VERSION), VERSION))
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(os.environ["PORT"]), limit=1 << 20)
    async with server:
        await server.serve_forever()


asyncio.run(main())
"""
FILES = {"app.py": APP, "requirements.txt": "", "Procfile": "web: python app.py\n"}


@pytest.fixture
def streaming(operator: Person) -> Iterator[App]:
    with new_app(operator, FILES) as app:
        app.push()
        yield app


class Pace:
    """Half of a stream at full speed, then a little every second until the deploy is over, then the rest."""

    def __init__(self) -> None:
        self.is_half = threading.Event()
        self.may_end = threading.Event()

    def wait(self, done_bytes: int) -> None:
        """Called after each MiB."""
        if done_bytes >= GIB // 2:
            self.is_half.set()
            self.may_end.wait(0.5)


def _connected(platform: Copy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", platform.port), timeout=60)


def _down(platform: Copy, host: str, pace: Pace) -> tuple[int, str, bytes]:
    """Bytes, their SHA-256, and the response's head."""
    digest, count, received = hashlib.sha256(), 0, b""
    with closing(_connected(platform)) as visitor:
        visitor.sendall(head(host, "GET /down HTTP/1.1"))
        while b"\r\n\r\n" not in received:
            received += visitor.recv(65536)
        said, _, body = received.partition(b"\r\n\r\n")
        body = body or visitor.recv(MIB)  # the head may come alone
        while body:
            digest.update(body)
            before, count = count, count + len(body)
            if before // MIB != count // MIB:
                pace.wait(count)
            body = visitor.recv(MIB)
    return count, digest.hexdigest(), said


def _up(platform: Copy, host: str, chunk: bytes, pace: Pace) -> bytes:
    with closing(_connected(platform)) as visitor:
        visitor.sendall(head(host, "POST /up HTTP/1.1", f"Content-Length: {GIB}"))
        for sent in range(0, GIB, MIB):
            visitor.sendall(chunk)
            pace.wait(sent)
        received = b""
        while more := visitor.recv(65536):
            received += more
    return received


def _echoes(visitor: socket.socket) -> Callable[[bytes], bytes]:
    stream = visitor.makefile("rb")

    def say(line: bytes) -> bytes:
        visitor.sendall(line)
        return stream.readline()

    return say


def test_streams_and_a_websocket_go_on_through_a_deploy(streaming: App, platform: Copy) -> None:
    host, chunk = f"{streaming.name}.localhost", os.urandom(MIB)
    down, up = Pace(), Pace()
    with ThreadPoolExecutor(2) as visitors, closing(_connected(platform)) as web:
        web.sendall(f"GET /echo HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
        assert b"101 Switching" in web.recv(4096)
        say = _echoes(web)
        assert say(b"before\n") == b"v2 before\n"
        try:
            downloaded = visitors.submit(_down, platform, host, down)
            uploaded = visitors.submit(_up, platform, host, chunk, up)
            for stream, pace in ((downloaded, down), (uploaded, up)):
                eventually(lambda: pace.is_half.is_set() or stream.done(), "half of a stream", within_s=180)  # noqa: B023
                assert not stream.done() or stream.result()
            streaming.deploy({"note": "another release"})
            eventually(lambda: streaming.visit().text == "v3", "the new release")
            assert not downloaded.done() and not uploaded.done()
            assert say(b"after\n") == b"v2 after\n", "it stays with the dyno it is on"
        finally:
            down.may_end.set()
            up.may_end.set()
        count, digest, said = downloaded.result(60)
        answer = uploaded.result(60)
        assert b"X-Version: v2" in said or b"x-version: v2" in said
        assert (count, digest) == (GIB, hashlib.sha256(bytes(range(256)) * 4096 * 1024).hexdigest())
        expected = hashlib.sha256()
        for _ in range(1024):
            expected.update(chunk)
        assert answer.endswith(expected.hexdigest().encode() + b" v2")
        assert say(b"still here\n") == b"v2 still here\n"
        assert web.recv(4096) == b"", "closed when the old dyno's 30 s are over"
    log = streaming.logged('path="/echo"')
    for path in ("/down", "/up"):
        assert [line for line in log.splitlines() if f'path="{path}"' in line and "status=200" in line and "code=" not in line], log
    assert [line for line in log.splitlines() if 'path="/echo"' in line and "status=101" in line], log
    assert streaming.states() == {"web.1": "up"}
