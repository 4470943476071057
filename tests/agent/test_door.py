"""The agent's socket under attack: bytes, shapes, floods and slow clients against the real server, which may only answer or close.

What it would do is recorded and not done here; tests/agent/test_attacks.py tries the same on a real agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from senryu.agent import order as orders
from senryu.agent import protocol, server
from senryu.agent.data import Data
from senryu.agent.disk import Disks
from senryu.agent.dyno import Dyno
from senryu.agent.dynos import Dynos
from senryu.agent.home import Home
from senryu.agent.launch import Site
from senryu.agent.lot import Lot
from senryu.agent.wire import Channel, Closed
from senryu.core.dyno import DynoOrder, ObservedDyno
from senryu.core.errors import Invalid, NotFound

from .test_decisions import ORDER

DEADLINE_S = 20.0
GOOD: list[protocol.Request] = [
    protocol.Start(ORDER),
    protocol.Signal(uuid4(), "HUP"),
    protocol.Remove(uuid4()),
    protocol.ListDynos(),
    protocol.Attach(uuid4()),
    protocol.AwaitEnd(uuid4()),
    protocol.RunInside(uuid4(), "ls", {"A": "b"}, True, 80, 24),
    protocol.OpenOutput(uuid4()),
]


class Recorder:
    """Stands where the dynos are; notes what would have been done."""

    def __init__(self) -> None:
        self.did: list[object] = []

    async def start(self, order: DynoOrder) -> None:
        orders.check(order)
        self.did.append(order)

    async def signal(self, dyno_id: UUID, name: str) -> None:
        self.did.append((dyno_id, name))

    async def remove(self, dyno_id: UUID) -> None:
        self.did.append(dyno_id)

    def observed(self) -> list[ObservedDyno]:
        return []

    def get(self, dyno_id: UUID) -> Dyno:
        raise NotFound(f"There is no dyno {dyno_id}.")


class Door:
    """A server on a socket of its own."""

    def __init__(self, home: Path) -> None:
        self.path, self.dynos = home / "agent.sock", Recorder()
        place = Home(home, os.getuid(), os.getgid())
        (home / "disks").mkdir(exist_ok=True)
        site = Site(place, Lot(0), Disks(home / "disks"), (), home)
        self.server = server.Server(site, cast(Dynos, self.dynos), Data(place, site.lot, "nobody"))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        with socket.socket(socket.AF_UNIX) as listener:
            self.path.unlink(missing_ok=True)
            listener.bind(str(self.path))
            listener.listen(700)
            listener.setblocking(False)
            serving = asyncio.create_task(self.server.serve(listener))
            try:
                yield
                assert not serving.done(), serving
            finally:
                serving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await serving

    async def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, str(self.path))
        return connection

    async def said(self, *raw: bytes, half_close: bool = False) -> protocol.Answer | None:
        """The first answer to raw bytes; None when the connection is closed without one."""
        connection = await self.connect()
        channel = Channel(connection, limit_bytes=protocol.ANSWER_MAX_BYTES, may_receive_files=False)
        try:
            async with asyncio.timeout(DEADLINE_S):
                for part in raw:
                    with contextlib.suppress(OSError):
                        await asyncio.get_running_loop().sock_sendall(connection, part)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                return protocol.read_answer((await channel.receive())[0])
        except Closed:
            return None
        finally:
            channel.close()

    async def is_well(self) -> bool:
        return await self.said(framed(protocol.encoded(protocol.ListDynos()))) == protocol.Dynos([])


def framed(payload: bytes) -> bytes:
    return struct.pack("!I", len(payload)) + payload


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    yield Door(tmp_path)


def fuzzed(door: Door, payload: bytes, half_close: bool) -> protocol.Answer | None:
    async def attempt() -> protocol.Answer | None:
        async with door.open():
            answer = await door.said(payload, half_close=half_close)
            assert await door.is_well()
            return answer

    return asyncio.run(attempt())


_UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
_lenient = settings(max_examples=100, deadline=None, suppress_health_check=_UNCHECKED, derandomize=False)


@_lenient
@given(payload=st.binary(max_size=3000))
def test_bytes_that_are_no_request_are_answered_with_a_refusal_and_nothing_is_done(door: Door, payload: bytes) -> None:
    with contextlib.suppress(Invalid):
        protocol.read_request(payload)
        return  # hypothesis has found a request of ours
    answer = fuzzed(door, framed(payload), half_close=False)
    assert isinstance(answer, protocol.Failed)
    assert answer.kind == "invalid"
    assert door.dynos.did == []


@_lenient
@given(raw=st.binary(max_size=3000))
def test_a_stream_of_bytes_without_any_framing_ends_in_a_refusal_or_a_close(door: Door, raw: bytes) -> None:
    answer = fuzzed(door, raw, half_close=True)
    assert answer is None or isinstance(answer, (protocol.Failed, protocol.Dynos))
    assert door.dynos.did == []


_leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=50) | st.binary(max_size=50)
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4))


@settings(_lenient, max_examples=200)
@given(data=st.data(), value=_values, extra=st.booleans())
def test_a_request_with_one_field_changed_is_carried_out_only_when_it_is_still_one(
    door: Door, data: st.DataObject, value: object, extra: bool
) -> None:
    door.dynos.did.clear()
    shape = cast(dict[str, Any], msgspec.to_builtins(data.draw(st.sampled_from(GOOD))))
    part = shape["order"] if "order" in shape and data.draw(st.booleans()) else shape
    part["extra" if extra else data.draw(st.sampled_from(sorted(part)))] = value
    payload = msgspec.msgpack.encode(shape)
    answer = fuzzed(door, framed(payload), half_close=False)
    try:
        request = protocol.read_request(payload)
        if isinstance(request, protocol.Start):
            orders.check(request.order)
    except Invalid:
        assert isinstance(answer, protocol.Failed)
        assert door.dynos.did == []
    else:
        assert len(door.dynos.did) == isinstance(request, (protocol.Start, protocol.Signal, protocol.Remove))


async def test_a_frame_over_the_limit_is_refused_before_it_is_read(door: Door) -> None:
    async with door.open():
        for length in (protocol.REQUEST_MAX_BYTES + 1, 1 << 31, (1 << 32) - 1):
            answer = await door.said(struct.pack("!I", length))
            assert isinstance(answer, protocol.Failed)
            assert "too large" in answer.message
        assert await door.is_well()
    assert door.dynos.did == []


async def test_a_request_cut_anywhere_is_not_carried_out(door: Door) -> None:
    whole = framed(protocol.encoded(protocol.Remove(uuid4())))
    async with door.open():
        for cut in range(len(whole)):
            assert await door.said(whole[:cut], half_close=True) is None
        assert door.dynos.did == []
        assert await door.said(*(whole[at : at + 1] for at in range(len(whole)))) == protocol.Done()  # in pieces it is one all the same
    assert len(door.dynos.did) == 1


async def test_a_second_request_on_a_connection_is_never_read(door: Door) -> None:
    async with door.open():
        await door.said(framed(protocol.encoded(protocol.ListDynos())) + framed(protocol.encoded(protocol.Remove(uuid4()))))
        assert await door.is_well()
    assert door.dynos.did == []


async def test_a_client_that_dawdles_is_hung_up_on_and_delays_nobody(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_REQUEST_TIMEOUT_S", 0.3)
    async with door.open():
        slow = [await door.connect() for _ in range(20)]
        for number, connection in enumerate(slow):
            connection.send(framed(bytes(100))[: number % 5])
        assert await door.is_well()
        for connection in slow:
            async with asyncio.timeout(DEADLINE_S):
                assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""
            connection.close()
    assert door.dynos.did == []


async def test_connections_beyond_the_bound_are_closed_at_once_and_room_comes_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS_MAX", 40)
    async with door.open():
        held = [await door.connect() for _ in range(40)]
        for _ in range(30):
            assert await door.said(framed(protocol.encoded(protocol.Remove(uuid4())))) is None
        assert door.dynos.did == []
        for connection in held:
            connection.close()
        async with asyncio.timeout(DEADLINE_S):
            while not await door.is_well():
                await asyncio.sleep(0.01)


async def test_large_requests_are_held_in_a_bounded_number_only(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LARGE_MAX_BYTES", 10 * protocol.REQUEST_MAX_BYTES)
    announced = struct.pack("!I", protocol.REQUEST_MAX_BYTES)
    async with door.open():
        held = [await door.connect() for _ in range(10)]
        for connection in held:
            connection.send(announced)
        refused = None
        async with asyncio.timeout(DEADLINE_S):
            while refused is None:  # until the ten have been seen
                refused = await door.said(announced, half_close=True)
        assert isinstance(refused, protocol.Failed)
        assert "too many large requests" in refused.message
        assert await door.is_well()  # a small one still gets through
        for connection in held:
            connection.close()
        async with asyncio.timeout(DEADLINE_S):
            while await door.said(announced, half_close=True) is not None:
                await asyncio.sleep(0.01)
    assert door.dynos.did == []
