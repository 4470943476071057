"""One dyno as the agent follows it: until it listens, until it ends, and what is left of it then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal as signals
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from senryu.core.dyno import ObservedDyno
from senryu.core.errors import NotFound
from senryu.core.limits import AGENT_TIMEOUT_S, BOOT_TIMEOUT_S

from . import launch, network, record, shim
from .cgroup import Cgroup, adopt_shim
from .launch import Site
from .listening import Listeners, Listening
from .output_files import OutputFiles
from .wire import ready

LISTEN_CHECK_FIRST_S = 0.005
LISTEN_CHECK_GROWTH = 1.1
LISTEN_CHECK_MAX_S = 0.1
LISTEN_CHECK_LATE_S = 5.0  # a worker never binds its port: looking often would keep an idle machine busy
_KILL_CHECKS, _KILL_CHECK_S = 50, 0.02
_FIRST_PROCESS_CHECKS, _FIRST_PROCESS_CHECK_S = 100, 0.02
_KILLED = 128 + signals.SIGKILL
_OUT_OF_MEMORY = "out_of_memory"


class Dyno:
    """A started dyno. `kept` is what is on disk of it."""

    def __init__(self, kept: record.Record, site: Site) -> None:
        self.kept = kept
        self._begins = asyncio.Lock()
        self.ended = asyncio.Event()
        self.cgroup = Cgroup(site.lot, kept.id)
        self.output = OutputFiles(site.home.output(kept.id) / "log")
        self._site = site
        self._address = site.lot.address(kept.index)
        self._listening, self._other_port = Listening.NOT, 0
        self._exit_status: int | None = None
        self._ended_at: datetime | None = None
        self._is_out_of_memory = False

    def observed(self) -> ObservedDyno:
        """As the Engine contract says it."""
        kept = self.kept
        is_running = self._exit_status is None
        return ObservedDyno(
            id=kept.id,
            app_id=kept.app_id,
            name=kept.name,
            kind=kept.kind,
            is_running=is_running,
            address=f"{self._address}:{kept.port}" if kept.port else None,
            is_listening=is_running and self._listening is Listening.YES,
            listens_locally=is_running and self._listening is Listening.LOCALLY,
            other_port=self._other_port if is_running else 0,
            exit_status=self._exit_status,
            memory_bytes=self.cgroup.memory_bytes() if is_running else 0,
            is_out_of_memory=self._is_out_of_memory,
            started_at=kept.started_at,
            ended_at=self._ended_at,
        )

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._exit_status

    async def signal(self, name: str) -> None:
        """Sends a signal to every process but the init, which would only pass it on again. A KILL is for the init too."""
        if name == "KILL" or shim.is_waiting(self._site.home, self.kept.id):  # what waits there is runc; the program has not begun
            self.kill()
            return
        for _ in range(_FIRST_PROCESS_CHECKS):
            pids = [pid for pid in self.cgroup.pids() if pid != self.kept.init_pid]
            if pids or self._exit_status is not None:
                _send({"TERM": signals.SIGTERM, "HUP": signals.SIGHUP}[name], pids)
                return
            await asyncio.sleep(_FIRST_PROCESS_CHECK_S)  # the init has not started the program yet

    def kill(self) -> None:
        """Sends KILL to every process."""
        if self._exit_status is None:
            _send(signals.SIGKILL, self.cgroup.pids())

    async def follow(self, changed: Callable[[Dyno], None]) -> None:
        """Reports through `changed` when it listens and when it ended; returns then, its machine resources given back."""
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(self._await_listening(changed), name=f"listening:{self.kept.name}")]
            waiting.append(tasks.create_task(self._guard_memory(), name=f"memory:{self.kept.name}"))
            if self.has_shim():  # not in the start, where it would be waited for: the kernel takes its time to move a process
                await asyncio.to_thread(adopt_shim, self._site.lot, self.kept.shim_pid)
            await self._await_shim()
            for task in waiting:
                task.cancel()
        await asyncio.to_thread(self._read_end)
        self.ended.set()
        changed(self)
        await asyncio.to_thread(self._give_back)

    def has_shim(self) -> bool:
        """Whether its conmon still runs, in this boot of the machine."""
        return self.kept.boot == record.boot_id() and record.birth(self.kept.shim_pid) == self.kept.shim_birth

    async def attach(self) -> tuple[socket.socket, int]:
        """Its attach socket and control pipe; the caller closes them. The first call lets the program begin.

        Raises: NotFound when there is no stdin to attach to.
        """
        home, dyno_id = self._site.home, self.kept.id
        gone = NotFound(f"Nothing can be attached to {self.kept.name}.")
        if not self.kept.stdin or self._exit_status is not None:
            raise gone
        async with self._begins:
            try:
                stdio = launch.connect_stdio(home, dyno_id)
                control = os.open(home.dyno(dyno_id) / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise gone from error
            if shim.is_waiting(home, dyno_id):
                await asyncio.to_thread(shim.start, home, dyno_id)
        return stdio, control

    async def _await_shim(self) -> None:
        if not self.has_shim():
            return
        try:
            shim_end = os.pidfd_open(self.kept.shim_pid)
        except ProcessLookupError:
            return
        try:
            await ready(shim_end)
        finally:
            os.close(shim_end)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.kept.shim_pid, os.WNOHANG)  # noqa: ASYNC222 – it has ended, and the call never blocks

    async def _await_listening(self, changed: Callable[[Dyno], None]) -> None:
        if not self.kept.port:
            return
        try:
            listeners = Listeners(self.kept.init_pid)
        except OSError:  # it has ended
            return
        try:
            await self._look(listeners, self.kept.port, changed)
        finally:
            listeners.close()

    async def _look(self, listeners: Listeners, port: int, changed: Callable[[Dyno], None]) -> None:
        pause_s = LISTEN_CHECK_FIRST_S
        while self._listening is not Listening.YES:
            seen = listeners.look(port, self._address)
            if seen != (self._listening, self._other_port):
                self._listening, self._other_port = seen
                changed(self)
            await asyncio.sleep(pause_s)
            is_booting = (record.now() - self.kept.started_at).total_seconds() < BOOT_TIMEOUT_S + LISTEN_CHECK_LATE_S
            pause_s = min(pause_s * LISTEN_CHECK_GROWTH, LISTEN_CHECK_MAX_S if is_booting else LISTEN_CHECK_LATE_S)

    async def _guard_memory(self) -> None:
        """On cgroup v1 the kernel kills one process; the whole dyno has to go."""
        events = self.cgroup.out_of_memory_events()
        if events is None:
            return
        try:
            while not self.cgroup.is_out_of_memory():
                await ready(events)
                os.eventfd_read(events)
                # The event comes before the kill and so before the count of kills.
                for _ in range(_KILL_CHECKS):
                    if self.cgroup.is_out_of_memory():
                        break
                    await asyncio.sleep(_KILL_CHECK_S)
            self.kill()
        finally:
            os.close(events)

    def _read_end(self) -> None:
        """Fills in how it ended. Without an exit file conmon was killed: the dyno is killed too."""
        home, dyno_id = self._site.home, self.kept.id
        marker = home.dyno(dyno_id) / _OUT_OF_MEMORY
        exit_file = home.exit_file(dyno_id)
        if not exit_file.exists():
            self.cgroup.kill(AGENT_TIMEOUT_S)
            exit_file.parent.mkdir(mode=0o750, exist_ok=True)
            record.replace(exit_file, str(_KILLED).encode())
        if self.cgroup.is_out_of_memory():
            marker.touch()
        self._is_out_of_memory = marker.exists()
        # Times of files are of a coarser clock, up to a tick behind: a dyno of a few milliseconds would have ended before it began.
        self._ended_at = max(self.kept.started_at, datetime.fromtimestamp(exit_file.stat().st_mtime, UTC))
        try:
            self._exit_status = int(exit_file.read_text())
        except ValueError:
            self._exit_status = _KILLED
        if self._is_out_of_memory:
            # The whole dyno is killed then; its main process may have been quicker to end than we to kill it.
            self._exit_status = _KILLED

    def _give_back(self) -> None:
        shim.delete(self._site.home, self.kept.id)
        network.uncable(self._site.lot, self.kept.index)


def trace_removed(dyno_id: UUID, kept: record.Record | None, site: Site) -> None:
    """Deletes every trace of a dyno, started or half started. Blocking."""
    if kept is None:
        shim.end_stray(site.home, dyno_id)
    Cgroup(site.lot, dyno_id).kill(AGENT_TIMEOUT_S)
    shim.delete(site.home, dyno_id)
    if kept is not None:
        network.uncable(site.lot, kept.index)
        network.revoke(site.lot, kept.index, kept.reaches)  # before the address is another's
    launch.discard(site.home, dyno_id)


def _send(number: signals.Signals, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
