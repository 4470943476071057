"""Visitors that take their time: five thousand at once hold nobody else up, and are cut. Source: reliability catalogue, E4."""

from __future__ import annotations

import asyncio
import contextlib
import time

import httpx
import pytest

from senryu.core.limits import MIB

from .conftest import Dynos
from .rig import PATIENT, Rig, answer, route, running_haproxy, until

pytestmark = pytest.mark.system
SLOW, SOURCES = 5000, 10
QUICK_ASKS = 50
BYTE_EVERY_S = 0.5
HEADER_TIMEOUT_S = 3.0
MEMORY_PER_SLOW_BYTES = MIB


async def _connected(rig: Rig, begin: bytes, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port, limit=4096, local_addr=(source, 0))
    writer.write(begin)
    return reader, writer


async def _crowd(rig: Rig, begin: bytes, size: int = SLOW) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """From as many addresses as it takes: one alone may not hold so many connections."""
    pairs = []
    for source in range(SOURCES):
        connecting = (_connected(rig, begin, f"127.0.1.{source + 1}") for _ in range(size // SOURCES))
        pairs += await asyncio.gather(*connecting)
    return pairs


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes) -> bytes:
    """Sends a byte now and then until the router has had enough; gives what it said."""
    reading = asyncio.ensure_future(reader.read())
    try:
        for place in range(len(rest)):
            if reading.done():
                break
            writer.write(rest[place : place + 1])
            await asyncio.wait({reading}, timeout=BYTE_EVERY_S)
        async with asyncio.timeout(10):
            return await reading
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def _asks(rig: Rig, host: str) -> list[int]:
    return [(await rig.get(host)).status_code for _ in range(QUICK_ASKS)]


async def test_headers_that_trickle_in_hold_nobody_up_and_are_cut(dynos: Dynos) -> None:
    async with running_haproxy(header_timeout_s=HEADER_TIMEOUT_S, **PATIENT) as (rig, router):
        slow, other = route(victim := await dynos(answer())), route(await dynos(answer()))
        await router.apply(slow)
        await router.apply(other)
        before = rig.memory_bytes()
        begun = time.monotonic()
        head = f"GET / HTTP/1.1\r\nHost: {slow.hosts[0]}\r\n".encode()
        pairs = await _crowd(rig, head)
        crowd = [asyncio.create_task(_trickle(*pair, b"X-A: " + b"a" * 1000)) for pair in pairs]
        assert await _asks(rig, other.hosts[0]) == [200] * QUICK_ASKS
        assert await _asks(rig, slow.hosts[0]) == [200] * QUICK_ASKS
        used = rig.memory_bytes() - before
        said = await asyncio.gather(*crowd)
        assert all(one == b"" or one.startswith(b"HTTP/1.1 408 ") for one in said)
        assert time.monotonic() - begun >= HEADER_TIMEOUT_S
        assert len(victim.heads) == QUICK_ASKS, "none of the slow ones reached the dyno"
        assert used < SLOW * MEMORY_PER_SLOW_BYTES / 10


async def test_one_address_cannot_hold_all_connections(dynos: Dynos) -> None:
    async with running_haproxy(source_connections=50, header_timeout_s=20.0, **PATIENT) as (rig, router):
        await router.apply(app := route(await dynos(answer())))
        head = f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\n".encode()
        held = [await _connected(rig, head) for _ in range(50)]
        with contextlib.suppress(ConnectionError):
            reader, _ = await _connected(rig, head)
            assert await reader.read() == b"", "closed without a word"
        other, ask = await asyncio.open_connection("127.0.0.1", rig.settings.port, local_addr=("127.0.0.2", 0))
        ask.write(head + b"Connection: close\r\n\r\n")
        assert (await other.read()).startswith(b"HTTP/1.1 200 ")
        for _, slow in held[:10]:
            slow.write(b"\r\n")
        assert [await reader.read(12) for reader, _ in held[:10]] == [b"HTTP/1.1 200"] * 10
        for _, slow in held:
            slow.transport.abort()

        async def may_come_again() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return (await rig.get(app.hosts[0])).status_code == 200
            return False

        await until(may_come_again)


async def test_bodies_that_trickle_in_hold_nobody_up(dynos: Dynos) -> None:
    """A small body is waited for by the router itself: the dyno is not kept busy by it."""
    async with running_haproxy(idle_timeout_s=2.0, header_timeout_s=10.0, **PATIENT) as (rig, router):
        victims = [await dynos(answer()) for _ in range(2)]
        slow, second, other = route(victims[0]), route(victims[1]), route(await dynos(answer()))
        for app in (slow, second, other):
            await router.apply(app)
        # One app alone may not have so many requests under way.
        heads = [f"POST / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: 1000\r\n\r\n".encode() for app in (slow, second)]
        pairs = [pair for head in heads for pair in await _crowd(rig, head, SLOW // 2)]
        crowd = [asyncio.create_task(_trickle(*pair, b"a" * 1000)) for pair in pairs]
        assert await _asks(rig, other.hosts[0]) == [200] * QUICK_ASKS
        assert await _asks(rig, slow.hosts[0]) == [200] * QUICK_ASKS
        said = await asyncio.gather(*crowd)
        assert all(one == b"" or one.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")) for one in said)
        assert [len(victim.heads) for victim in victims] == [QUICK_ASKS, 0]


async def test_responses_read_slowly_take_bounded_memory_and_hold_nobody_up(dynos: Dynos) -> None:
    size = 20 * MIB

    async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()

    async with running_haproxy(idle_timeout_s=20.0, first_byte_timeout_s=20.0, header_timeout_s=20.0) as (rig, router):
        slow, other = route(await dynos(large)), route(await dynos(answer()))
        await router.apply(slow)
        await router.apply(other)
        before = rig.memory_bytes()
        head = f"GET / HTTP/1.1\r\nHost: {slow.hosts[0]}\r\n\r\n".encode()
        readers = 100
        pairs = await asyncio.gather(*(_connected(rig, head) for _ in range(readers)))
        assert all([await reader.read(1) == b"H" for reader, _ in pairs])  # and then they hardly read any more
        assert await _asks(rig, other.hosts[0]) == [200] * QUICK_ASKS
        assert rig.memory_bytes() - before < readers * MEMORY_PER_SLOW_BYTES
        for _, writer in pairs:
            writer.transport.abort()
