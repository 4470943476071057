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
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from senryu.agent import archive_programs, history, protocol, server, stack_import, stores
from senryu.agent import order as orders
from senryu.agent.data import Data
from senryu.agent.disk import Disks
from senryu.agent.dynos import Dynos
from senryu.agent.home import Home
from senryu.agent.launch import Site
from senryu.agent.lot import Lot
from senryu.agent.wire import Channel, Closed
from senryu.core.archive import DatabaseAddress
from senryu.core.errors import Invalid
from senryu.core.key_value_store import StoreOrder
from senryu.core.limits import MIB
from senryu.core.object_store import BucketOrder, bucket_of, check_bucket, check_order, check_quota

from .recorded import Measured, Recorder
from .test_decisions import ORDER

DEADLINE_S = 20.0
DATABASE = DatabaseAddress("db.example.com", 5432, "d0123456789abcdef", "u1", "secret", address="192.0.2.1")
BUCKET = bucket_of(uuid4())
OF_A_DATABASE = protocol.RunArchiveProgram("dump", DATABASE, ["hstore"])
GOOD: list[protocol.Request] = [
    protocol.Start(ORDER),
    protocol.Signal(uuid4(), "HUP"),
    protocol.Remove(uuid4()),
    protocol.ListDynos(),
    protocol.Watch(),
    protocol.Attach(uuid4()),
    protocol.AwaitEnd(uuid4()),
    protocol.RunInside(uuid4(), "ls", {"A": "b"}, True, 80, 24),
    protocol.OpenOutput(uuid4()),
    protocol.ImportStack("small", "/nowhere/at/all"),
    protocol.RunData("postgres"),
    protocol.EndStandby(),
    protocol.MeasureStandby(),
    protocol.RunStore(StoreOrder(uuid4(), memory_bytes=64 * MIB, connections=20, verifiers=("a" * 64,), timeout_s=300)),
    protocol.RemoveStore(uuid4()),
    protocol.MakeBucket(BucketOrder(BUCKET, "A" * 20, "s" * 40, 64 * MIB, False)),
    protocol.LimitBucket(BUCKET, 64 * MIB),
    protocol.RemoveBucket(BUCKET),
    protocol.ListBuckets(),
    OF_A_DATABASE,
    protocol.KeepHistory(7),
    protocol.Rewind(uuid4(), datetime(2026, 1, 1, tzinfo=UTC), "d0123456789abcdef"),
    protocol.ForgetRewound(uuid4()),
    protocol.MeasureHistory(),
]
# What looks only, or finds that there is no such dyno.
_LOOKS = (
    protocol.ListDynos,
    protocol.Watch,
    protocol.Attach,
    protocol.AwaitEnd,
    protocol.RunInside,
    protocol.OpenOutput,
    protocol.MeasureStandby,
    protocol.ListBuckets,
    protocol.MeasureHistory,
)


class Door:
    """A server on a socket of its own."""

    def __init__(self, home: Path) -> None:
        self.path, self.dynos = home / "agent.sock", Recorder()
        place = Home(home, os.getuid(), os.getgid())
        (home / "disks").mkdir(exist_ok=True)
        site = Site(place, Lot(0), Disks(home / "disks"), (), home)
        self.server = server.Server(site, cast(Dynos, self.dynos), cast(Data, Measured(self.dynos.did, home)))

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
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    made = Door(tmp_path)

    def start(command: list[str], **_options: object) -> None:
        made.dynos.did.append(command)
        raise OSError("recorded, not started")

    def fill(_rootfs: Path, source: str, _scratch: Path) -> None:
        made.dynos.did.append(source)

    (tmp_path / "15/bin").mkdir(parents=True)
    (tmp_path / "15/bin/pg_dump").touch()
    (tmp_path / "stacks").mkdir()
    monkeypatch.setattr(archive_programs, "_PROGRAMS", tmp_path)
    monkeypatch.setattr(archive_programs, "_check_socket", lambda _path: None)  # as if the machine's own server ran, which no host means
    monkeypatch.setattr("subprocess.Popen", start)
    monkeypatch.setattr(stack_import, "_fill", fill)
    yield made


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


_of_kind: dict[type, st.SearchStrategy[object]] = {int: st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2), str: st.text(max_size=80)}


async def test_an_archive_program_for_the_machines_own_server_is_started_too(door: Door) -> None:
    own = msgspec.structs.replace(OF_A_DATABASE, database=replace(DATABASE, host="", address=""))
    async with door.open():
        await door.said(framed(protocol.encoded(own)))
    assert len(door.dynos.did) == 1


@settings(_lenient, max_examples=40)
@given(data=st.data(), extra=st.booleans())
@pytest.mark.parametrize("good", GOOD, ids=lambda good: type(good).__name__)
def test_a_request_with_one_field_changed_is_carried_out_only_when_it_is_still_one(
    door: Door, good: protocol.Request, data: st.DataObject, extra: bool
) -> None:
    door.dynos.did.clear()
    shape = cast(dict[str, Any], msgspec.to_builtins(good))
    inner = next((name for name in ("order", "database") if isinstance(shape.get(name), dict)), "")
    part = shape[inner] if inner and data.draw(st.booleans()) else shape
    field = "extra" if extra else data.draw(st.sampled_from(sorted(part)))
    # What is of the field's own type is for the checks behind those of types.
    part[field] = data.draw(_values | _of_kind.get(type(part.get(field)), _values))
    payload = msgspec.msgpack.encode(shape)
    answer = fuzzed(door, framed(payload), half_close=False)
    try:
        request = protocol.read_request(payload)
        _check(request)
    except Invalid:
        assert isinstance(answer, protocol.Failed)
        assert door.dynos.did == []
    else:
        assert len(door.dynos.did) == (not isinstance(request, _LOOKS)), request


def _check(request: protocol.Request) -> None:
    """What a request must be beyond its types. Raises: Invalid."""
    match request:
        case protocol.Start(order=order):
            orders.check(order)
        case protocol.ImportStack(name=name):
            if not orders.is_stack_name(name) or name == "host":
                raise Invalid(name)
        case protocol.RunStore(order=store):
            stores.check(store)
        case protocol.MakeBucket(order=bucket):
            check_order(bucket)
        case protocol.LimitBucket(bucket=name, quota_bytes=quota_bytes):
            check_bucket(name)
            check_quota(quota_bytes)
        case protocol.RemoveBucket(bucket=name):
            check_bucket(name)
        case protocol.RunArchiveProgram():
            archive_programs.check(request)
        case protocol.KeepHistory(days=days):
            history.check_days(days)
        case protocol.Rewind(database=database):
            history.check_database(database)


def test_every_type_of_request_is_among_those_that_are_changed() -> None:
    assert [type(request) for request in GOOD] == list(get_args(protocol.Request))


@pytest.mark.parametrize("request_", GOOD, ids=lambda request: type(request).__name__)
def test_a_request_as_it_should_be_is_carried_out_once(door: Door, request_: protocol.Request) -> None:
    answer = fuzzed(door, framed(protocol.encoded(request_)), half_close=False)
    assert len(door.dynos.did) == (not isinstance(request_, _LOOKS)), answer


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
