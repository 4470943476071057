"""A real agent for a home of its own, and orders to give it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from senryu.core.dyno import BASE_ENV, DynoKind, DynoOrder, Engine, ObservedDyno, OutputReader, Terminal
from senryu.core.limits import MIB
from system.rig import SLOWNESS

DEADLINE_S = 30.0 * SLOWNESS
USER = "nobody"  # every machine has it; the agent only needs some unprivileged user
_COMMAND = [sys.executable, "-m", "senryu.agent", "--user", USER, "--home"]


class Agent:
    """A senryu-agent on an empty home."""

    def __init__(self, *flags: str) -> None:
        self.flags = flags
        self.before: tuple[str, ...] = ()  # words that its command begins with; what they start becomes it
        self.home = Path(tempfile.mkdtemp(prefix="senryu-"))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with open(self.home.with_suffix(".log"), "ab") as log:
            # A canary: nothing of the agent's environment may reach a dyno.
            env = {**os.environ, "AGENT_CANARY": "canary-of-the-agent"}
            command = [*self.before, *_COMMAND, str(self.home), *self.flags]
            self.process = subprocess.Popen(command, stderr=log, stdout=log, cwd="/", env=env)
        until = time.monotonic() + DEADLINE_S
        path = self.home / "run" / "agent.sock"
        while _listening(path) != self.process.pid:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def stop(self) -> None:
        """SIGTERM, as a supervisor would."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.kill()  # so that what it made is removed all the same
                raise

    def clean_up(self) -> None:
        """Removes everything it made anywhere."""
        try:
            self.stop()
        finally:
            self._clean_up()

    def end_all(self) -> None:
        """`--cleanup`."""
        done = subprocess.run([*_COMMAND, str(self.home), "--cleanup"], cwd="/", capture_output=True, text=True, timeout=DEADLINE_S * 2)
        assert done.returncode == 0, done.stderr

    def _clean_up(self) -> None:
        self.end_all()
        shutil.rmtree(self.home)
        self.home.with_suffix(".log").unlink()

    def children(self) -> list[int]:
        """Its child processes, the dead among them."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    def said(self) -> str:
        """What it wrote on stderr."""
        return self.home.with_suffix(".log").read_text()


def _listening(path: Path) -> int:
    """Which process made the socket that takes connections there; 0: none.

    What a killed agent was just starting holds its socket until it is executed: for milliseconds on a busy machine.
    """
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.connect(str(path))
        return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0])
    return 0


@contextmanager
def running_agent(number: str | None = None) -> Iterator[Agent]:
    """A running agent, of a home that had a certain lot before; nothing of it is left afterwards."""
    agent = Agent()
    try:
        if number is not None:
            (agent.home / "agent").mkdir(mode=0o711)
            (agent.home / "agent/lot").write_text(number)
        agent.start()
        yield agent
    finally:
        agent.clean_up()


def order(command: str, **changes: Any) -> DynoOrder:
    """An order with small, sane numbers."""
    wanted: dict[str, Any] = {
        "id": uuid4(),
        "app_id": uuid4(),
        "app_name": "quiet-river-1234",
        "name": "web.1",
        "kind": DynoKind.FORMATION,
        "command": command,
        "env": {**BASE_ENV, "PORT": "5000", "DYNO": "web.1"},
        "slug": None,
        "stack": "host",
        "memory_bytes": 128 * MIB,
        "cpu_shares": 1024,
        "pids": 64,
        "disk_bytes": 64 * MIB,
        "port": 5000,
    }
    return DynoOrder(**{**wanted, **changes})


def one_off(command: str, **changes: Any) -> DynoOrder:
    """An order for a dyno that serves nothing."""
    return order(command, **{"name": "run.1", "kind": DynoKind.ONE_OFF, "port": 0, **changes})


async def seen(engine: Engine, dyno_id: UUID, holds: Callable[[ObservedDyno], bool]) -> ObservedDyno:
    """The dyno once `holds` is true of it."""
    until = time.monotonic() + DEADLINE_S
    last: ObservedDyno | None = None
    while time.monotonic() < until:
        for dyno in await engine.dynos():
            if dyno.id == dyno_id:
                last = dyno
                if holds(dyno):
                    return dyno
        await asyncio.sleep(0.02)
    raise AssertionError(f"never seen; last: {last}")


async def ended(engine: Engine, dyno_id: UUID) -> ObservedDyno:
    """The dyno once it has ended."""
    return await seen(engine, dyno_id, lambda dyno: not dyno.is_running)


async def lines_of(reader: OutputReader, dyno_id: UUID, after: int = -1) -> list[str]:
    """Everything the dyno wrote until its end."""
    async with asyncio.timeout(DEADLINE_S):
        return [line.text.decode(errors="replace") async for batch in reader.output(dyno_id, after) for line in batch]


async def read_until(terminal: Terminal, wanted: bytes | None = None) -> bytes:
    """What is read until `wanted` appears, or to the end."""
    received = bytearray()
    async with asyncio.timeout(DEADLINE_S):
        while chunk := await terminal.read():
            received += chunk
            if wanted is not None and wanted in received:
                break
    return bytes(received)


async def result(engine: Any, command: str, **changes: Any) -> tuple[list[str], ObservedDyno]:
    """Runs a one-off to its end. Gives its lines and how it ended; nothing of it is left."""
    wanted = one_off(command, **changes)
    await engine.start(wanted)
    try:
        lines = await lines_of(engine, wanted.id)
        return lines, await ended(engine, wanted.id)
    finally:
        await engine.remove(wanted.id)
