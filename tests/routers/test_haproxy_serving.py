"""Streaming, WebSockets, HTTP/2, TLS, large bodies, the platform itself: on the real HAProxy."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
from dataclasses import replace
from functools import partial

import pytest
import websockets

from senryu.core.errors import Invalid
from senryu.routers.haproxy import HAProxyRouter

from .conftest import Dynos
from .rig import DEADLINE_S, Dyno, Rig, answer, lines_of, raw, route, until

pytestmark = pytest.mark.system
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3; HAProxy refuses a handshake without one
Started = tuple[Rig, HAProxyRouter]
MIB = 1024 * 1024


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """A WebSocket dyno of the crudest kind: bytes come back as they are."""
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    while chunk := await reader.read(65536):
        writer.write(chunk)


async def test_a_websocket_goes_through_and_its_end_is_no_error(haproxy: Started) -> None:
    rig, router = haproxy

    async def back(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(back, "127.0.0.1", 0) as server:
        dyno = Dyno(raw(b""), port=next(iter(server.sockets)).getsockname()[1])
        await router.apply(app := route(dyno))
        uri = f"ws://{app.hosts[0]}:{rig.settings.port}/cable"
        async with websockets.connect(uri, host="127.0.0.1", port=rig.settings.port, proxy=None) as client:
            for message in ("hello", "x" * MIB):
                await client.send(message)
                assert await client.recv() == message
            assert await router.active_requests(dyno.id) == 1
    [line] = await lines_of(router, app.app_id)
    assert (line.status, line.code, line.path) == (101, "", "/cable")


async def test_a_silent_websocket_ends_with_h15(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(_echo)))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(3):  # longer than one idle time in all
        await asyncio.sleep(rig.settings.idle_timeout_s * 0.6)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    [line] = await lines_of(router, app.app_id)
    assert (line.status, line.code) == (101, "H15")


async def test_a_refused_upgrade_stays_http_and_what_is_no_request_reaches_no_dyno(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    dyno = await dynos(answer())
    await router.apply(app := route(dyno))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    host = f"Host: {app.hosts[0]}\r\n"
    writer.write(f"GET /cable HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode())
    assert (await reader.readuntil(b"hello world\n")).startswith(b"HTTP/1.1 200 ")
    writer.write(f"GET /next HTTP/1.1\r\n{host}Via: mine\r\n\r\n".encode())
    assert (await reader.readuntil(b"hello world\n")).startswith(b"HTTP/1.1 200 ")
    writer.write(b"\x81\x85\x01\x02\x03\x04hello")  # a frame, as if it were a WebSocket
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    assert said == b"" or said.startswith(b"HTTP/1.1 400 ")
    assert [head.split(b" ")[1] for head in dyno.heads] == [b"/cable", b"/next"]
    assert all(b"1.1 senryu" in head for head in dyno.heads), "each came through the router"


@pytest.mark.parametrize("flags", [["--http2-prior-knowledge"], ["--http2"], ["--http1.1"]])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_visitors_may_speak_http_2_plain_and_over_tls(haproxy: Started, dynos: Dynos, flags: list[str], scheme: str) -> None:
    rig, router = haproxy
    s = rig.settings
    await router.apply(app := route(await dynos(answer()), host="app.example.com"))
    port = s.tls_port if scheme == "https" else s.port
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", *flags, "-k", "--resolve", f"{app.hosts[0]}:{port}:127.0.0.1",
        "-w", "%{http_version}", f"{scheme}://{app.hosts[0]}:{port}/", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(curl.communicate(), 10)
    is_two = flags == ["--http2-prior-knowledge"] or (flags == ["--http2"] and scheme == "https")
    assert out == b"hello world\n" + (b"2" if is_two else b"1.1")
    [line] = await lines_of(router, app.app_id)
    assert (line.protocol, line.tls) == (scheme, scheme == "https")


async def test_the_tls_port_serves_a_certificate_of_the_private_ca_for_every_app(haproxy: Started) -> None:
    rig, router = haproxy
    s = rig.settings
    context = ssl.create_default_context(cafile=s.tls / "ca.pem")
    await router.apply(app := route())

    async def is_trusted(name: str) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", s.tls_port, ssl=context, server_hostname=name)
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        return True

    for name in ("localhost", "api.localhost", app.hosts[0]):
        await until(partial(is_trusted, name))
    assert not await is_trusted("another.localhost")
    assert (s.tls / "ca.key").stat().st_mode & 0o777 == 0o600


async def test_bodies_stream_both_ways_without_being_stored(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    size, chunk = 200 * MIB, os.urandom(MIB)

    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        left = size
        while left:
            piece = await reader.read(min(left, MIB))
            left -= len(piece)
            writer.write(piece)
            await writer.drain()

    await router.apply(app := route(await dynos(mirror)))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: {size}\r\n\r\n".encode())

    async def upload() -> None:
        for _ in range(size // MIB):
            writer.write(chunk)
            await writer.drain()

    uploading = asyncio.create_task(upload())
    await reader.readuntil(b"\r\n\r\n")
    digest, left = hashlib.sha256(), size
    while left:
        piece = await reader.read(MIB)
        left -= len(piece)
        digest.update(piece)
    await uploading
    writer.close()
    assert digest.digest() == hashlib.sha256(chunk * (size // MIB)).digest()
    assert rig.memory_bytes() < 100 * MIB


async def _mirror_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """What comes goes back, chunk by chunk, and nothing follows before the other side says more."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
        writer.write(b"%x\r\n%s" % (size, await reader.readexactly(size + 2)))
    writer.write(b"0\r\n\r\n")


@pytest.mark.parametrize("host", ["an app", "localhost"])
async def test_what_is_said_piece_by_piece_is_not_gathered_both_ways(haproxy: Started, dynos: Dynos, host: str) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(_mirror_chunks)))

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # the router looks first whether anybody is there
            await _mirror_chunks(reader, writer, await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_unix_server(platform, rig.settings.platform_socket)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    host = app.hosts[0] if host == "an app" else host
    writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n>>\r\n".encode())
    async with asyncio.timeout(DEADLINE_S):  # a kernel that was told that more follows holds each of these back for 0.2 s
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(b">>\r\n")
        for number in range(200):
            writer.write(b"3\r\n%03d\r\n" % number)
            assert (await reader.readuntil(b"\r\n"), await reader.readuntil(b"\r\n")) == (b"3\r\n", b"%03d\r\n" % number)
        writer.write(b"0\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"0\r\n\r\n"
    writer.close()
    server.close()


async def test_a_body_and_its_answer_reach_the_platform_as_well(haproxy: Started) -> None:
    rig, _ = haproxy

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await answer(head.split(b" ")[1])(reader, writer, head)
        await writer.drain()
        writer.close()

    assert (await rig.get("localhost")).json()["id"] == "service_unavailable"
    server = await asyncio.start_unix_server(platform, rig.settings.platform_socket)
    for host in ("localhost", "api.localhost", "git.localhost", "dashboard.localhost"):
        assert (await rig.get(host, "/apps")).text == "/apps"
    server.close()


async def test_requests_wait_while_the_platform_restarts(haproxy: Started) -> None:
    rig, _ = haproxy
    waiting = asyncio.create_task(rig.get("localhost"))
    await asyncio.sleep(0.5)

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer()(reader, writer, await reader.readuntil(b"\r\n\r\n"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(platform, rig.settings.platform_socket)
    assert (await waiting).status_code == 200
    server.close()


@pytest.mark.parametrize("host", ["a\nadd map x", "a b.example.com", "a;b", "UPPER.example.com", "*.*.example.com", "", "-a.example.com"])
async def test_a_host_that_is_none_is_refused(haproxy: Started, host: str) -> None:
    with pytest.raises(Invalid):
        await haproxy[1].apply(replace(route(), hosts=(host,)))
