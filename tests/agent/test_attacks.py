"""A real agent's socket: who may speak to it, and what is left of it after an attack."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import random
import resource
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from engines.rig import DEADLINE_S, USER, Agent, one_off, result, running_agent
from senryu.agent import protocol
from senryu.core.limits import MIB
from senryu.engines.container import ContainerEngine

pytestmark = pytest.mark.system

LIST = protocol.encoded(protocol.ListDynos())


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent() as running:
        yield running


def framed(payload: bytes) -> bytes:
    return struct.pack("!I", len(payload)) + payload


def asked(agent: Agent, raw: bytes, files: tuple[int, ...] = ()) -> bytes:
    """What comes back, until the agent closes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(agent.home / "run" / "agent.sock"))
        received = b""
        with contextlib.suppress(ConnectionError):
            socket.send_fds(connection, [raw], list(files)) if files else connection.sendall(raw)
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def asked_as(agent: Agent, uid: int, gids: list[int]) -> str:
    """What a process of another user gets: `refused` (no connection), `closed` (no answer) or `answered`."""
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        word = b"failed"
        try:
            os.setgroups(gids)
            os.setgid(uid)
            os.setuid(uid)
            with contextlib.suppress(ConnectionError):
                word = b"answered" if asked(agent, framed(LIST)) else b"closed"
        except PermissionError:
            word = b"refused"
        finally:
            os.write(tells, word)
            os._exit(0)
    os.close(tells)
    try:
        return os.read(told, 100).decode()
    finally:
        os.close(told)
        os.waitpid(child, 0)


def memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def pid_of(agent: Agent) -> int:
    assert agent.process is not None
    return agent.process.pid


def test_only_senryuds_user_and_root_are_answered(agent: Agent) -> None:
    user = pwd.getpwnam(USER)
    path = agent.home / "run" / "agent.sock"
    assert asked_as(agent, user.pw_uid, [user.pw_gid]) == "answered"
    assert asked(agent, framed(LIST)) != b""
    assert asked_as(agent, 54_321, []) == "refused"
    assert asked_as(agent, 54_321, [user.pw_gid]) == "closed"  # in senryud's group, as the router is: by the peer's credentials
    former = path.stat().st_mode
    path.chmod(0o666)
    try:
        assert asked_as(agent, 54_321, []) == "closed"  # also when the file's mode would let anybody in
    finally:
        path.chmod(former)


def test_a_flood_of_nonsense_leaves_the_agent_as_it_was(agent: Agent) -> None:
    pid, dice = pid_of(agent), random.Random(6)  # the same bytes every time: a failure can be looked at
    asked(agent, framed(LIST))
    before, files = memory_bytes(pid), len(os.listdir(f"/proc/{pid}/fd"))
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        for _ in range(400):
            raw = dice.randbytes(dice.randrange(200))
            asked(agent, framed(raw) if dice.random() < 0.8 else struct.pack("!I", dice.getrandbits(32)) + raw, (null,) * dice.randrange(4))
            asked(agent, framed(protocol.encoded(protocol.Remove(uuid4()))))
    finally:
        os.close(null)
    assert memory_bytes(pid) < before + 16 * MIB
    deadline = time.monotonic() + DEADLINE_S
    while len(os.listdir(f"/proc/{pid}/fd")) > files:
        assert time.monotonic() < deadline, os.listdir(f"/proc/{pid}/fd")
        time.sleep(0.05)
    assert asked(agent, framed(LIST))[4:] == protocol.encoded(protocol.Dynos([]))
    assert list((agent.home / "agent" / "dynos").iterdir()) == []


def test_large_requests_from_many_connections_take_bounded_memory(agent: Agent) -> None:
    pid = pid_of(agent)
    before, held = memory_bytes(pid), []
    part = struct.pack("!I", protocol.REQUEST_MAX_BYTES) + bytes(protocol.REQUEST_MAX_BYTES - 1)
    for _ in range(200):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(0.3)
        connection.connect(str(agent.home / "run" / "agent.sock"))
        with contextlib.suppress(OSError):
            connection.sendall(part)
        held.append(connection)
    peak = memory_bytes(pid)
    for connection in held:
        connection.close()
    assert peak < before + 160 * MIB, f"{(peak - before) / MIB:.0f} MB more"
    deadline = time.monotonic() + DEADLINE_S
    while asked(agent, framed(LIST))[4:] != protocol.encoded(protocol.Dynos([])):
        assert time.monotonic() < deadline


def test_an_agent_out_of_descriptors_goes_on_when_there_are_some_again(agent: Agent) -> None:
    pid = pid_of(agent)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    held = []
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(int(file) for file in os.listdir(f"/proc/{pid}/fd")) + 3, before[1]))
    try:
        for _ in range(20):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(agent.home / "run" / "agent.sock"))
            held.append(connection)
        deadline = time.monotonic() + DEADLINE_S
        while "could not be taken" not in agent.said():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for connection in held:
            connection.close()
    assert asked(agent, framed(LIST))[4:] == protocol.encoded(protocol.Dynos([]))


async def test_an_order_that_is_refused_makes_nothing(agent: Agent) -> None:
    async with ContainerEngine(agent.home) as engine:
        for changes in ({"app_name": "x" * 100_000}, {"app_name": "../x"}, {"columns": 0}):
            with pytest.raises(Exception, match="not acceptable"):
                await engine.start(one_off("true", **changes))
        assert await engine.dynos() == []
        assert list((agent.home / "agent" / "dynos").iterdir()) == []
        assert (await asyncio.wait_for(result(engine, "echo well"), DEADLINE_S))[0] == ["well"]
