"""TLS as strangers try it: renegotiation, early data, torn and silent handshakes, other protocols on the port (fault catalogue E11)."""

from __future__ import annotations

import asyncio
import ssl
import subprocess

import pytest

from senryu.routers.haproxy import HAProxyRouter

from .conftest import Dynos
from .rig import Rig, answer, route

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]


async def spoken(rig: Rig, *flags: str, say: str = "") -> str:
    """What openssl's client tells of a conversation in which `say` is typed; R alone on a line asks to renegotiate."""
    place = ["-connect", f"127.0.0.1:{rig.settings.tls_port}", "-servername", "localhost"]
    run = ["openssl", "s_client", *place, *flags]
    done = await asyncio.to_thread(subprocess.run, run, input=say, capture_output=True, text=True, timeout=20, check=False)
    return str(done.stdout + done.stderr)


async def is_served(rig: Rig, host: str) -> bool:
    """Whether a visitor over TLS is answered."""
    context = ssl.create_default_context(cafile=rig.settings.tls / "ca.pem")
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.tls_port, ssl=context, server_hostname="localhost")
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        said = await reader.read(12)
    writer.transport.abort()
    return said == b"HTTP/1.1 200"


async def test_nobody_renegotiates_sends_early_data_or_speaks_an_old_version(haproxy: Started) -> None:
    rig, _ = haproxy
    renegotiating = await spoken(rig, "-tls1_2", say="R\n")
    assert "RENEGOTIATING" in renegotiating and ("no renegotiation" in renegotiating or "error" in renegotiating)
    session = await spoken(rig, "-tls1_3", say="Q\n")
    assert "Max Early Data: 0" in session or "Max Early Data" not in session
    for old in ("-tls1", "-tls1_1"):
        assert "alert protocol version" in await spoken(rig, old, "-cipher", "DEFAULT:@SECLEVEL=0")
    for sound in ("-tls1_2", "-tls1_3"):
        assert "Cipher is (NONE)" not in await spoken(rig, sound, say="Q\n")
    assert "Cipher is (NONE)" in await spoken(rig, "-tls1_2", "-cipher", "NULL:aNULL:RC4:3DES:@SECLEVEL=0", say="Q\n")


async def test_torn_silent_and_wrong_handshakes_end_and_hold_up_nobody(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    wanted = route(await dynos(answer()))
    await router.apply(wanted)
    port = rig.settings.tls_port
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
    torn = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
    for _, writer in torn:
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        assert not (await reader.read(100)).startswith(b"HTTP/1.1 200")
    writer.close()
    assert await is_served(rig, wanted.hosts[0])
    async with asyncio.timeout(20):  # the router's own limit for a handshake is that of a request's head
        for reader, writer in (*silent, *torn):
            try:
                assert not (await reader.read(1000)).startswith(b"HTTP/1.1 200")
            except ConnectionError:
                pass
            writer.close()
    assert await is_served(rig, wanted.hosts[0])
