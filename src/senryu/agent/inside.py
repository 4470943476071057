"""Commands inside a running dyno: `runc exec`, its terminal or pipes handed to senryud. They end with the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from senryu.core.errors import NotFound, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import bundle, cgroup, ending, protocol, shim
from . import order as orders
from .dyno import Dyno
from .launch import Site
from .record import replace
from .wire import Channel, ready

_HANGUP_GRACE_S = 5.0


async def run(request: protocol.RunInside, dyno: Dyno, site: Site, channel: Channel) -> None:
    """Answers `Opened` with the command's stdio, then `Exited` with its status.

    Raises: NotFound when the dyno does not run; Invalid, Unavailable.
    """
    orders.check_command(request.command, request.env)
    orders.check_terminal(request.columns, request.lines)
    if dyno.exit_status is not None:
        raise NotFound(f"{dyno.kept.name} does not run.")
    with TemporaryDirectory(dir=site.home.dyno(dyno.kept.id), prefix="inside-") as directory:
        command = _Command(Path(directory), dyno, site)
        try:
            with cgroup.ready_to_move():
                files = await asyncio.to_thread(command.start, request)
            try:
                async with asyncio.timeout(AGENT_TIMEOUT_S):
                    await channel.send(protocol.encoded(protocol.Opened(tty=request.tty)), files)
            finally:
                for file in files:
                    os.close(file)
            status = await channel.while_open(command.wait())
        finally:
            await asyncio.shield(asyncio.to_thread(command.hang_up))
    await channel.send(protocol.encoded(protocol.Exited(status)))


class _Command:
    """One `runc exec` and what it left in `directory`."""

    def __init__(self, directory: Path, dyno: Dyno, site: Site) -> None:
        self._directory = directory
        self._dyno = dyno
        self._site = site
        self._pid: int | None = None

    def start(self, request: protocol.RunInside) -> list[int]:
        """Starts it. Gives its open terminal, or its stdin and its output."""
        spec = bundle.process(
            ["/bin/bash", "-c", request.command],
            request.env,
            uid=self._site.lot.uid(self._dyno.kept.index),
            nofile_hard=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            tty=request.tty,
            columns=request.columns,
            lines=request.lines,
        )
        replace(self._directory / "process.json", json.dumps(spec).encode())
        return self._with_terminal() if request.tty else self._with_pipes()

    async def wait(self) -> int:
        """The exit status, as a shell gives it."""
        assert self._pid is not None
        end = os.pidfd_open(self._pid)
        try:
            await ready(end)
        finally:
            os.close(end)
        _, how = os.waitpid(self._pid, 0)  # noqa: ASYNC222 – it has ended
        self._pid = None
        status = os.waitstatus_to_exitcode(how)
        return status if status >= 0 else 128 - status

    def hang_up(self) -> None:
        """Ends what still runs: HUP, then KILL to the command and whatever shares its session."""
        if self._pid is None:
            return
        end = os.pidfd_open(self._pid)
        try:
            for number in (signal.SIGHUP, signal.SIGKILL):
                for pid in self._session(self._pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                if select.select([end], [], [], _HANGUP_GRACE_S)[0]:
                    os.waitpid(self._pid, 0)
                    self._pid = None
                    return
        finally:
            os.close(end)

    def _session(self, leader: int) -> list[int]:
        found = [leader]
        for pid in self._dyno.cgroup.pids():
            with contextlib.suppress(ProcessLookupError):
                if pid != leader and os.getsid(pid) == leader:
                    found.append(pid)
        return found

    def _with_pipes(self) -> list[int]:
        stdin_read, stdin_write = os.pipe()
        output_read, output_write = os.pipe()
        try:
            self._execute(stdin_read, output_write)
        except BaseException:
            os.close(stdin_write)
            os.close(output_read)
            raise
        finally:
            os.close(stdin_read)
            os.close(output_write)
        return [stdin_write, output_read]

    def _with_terminal(self) -> list[int]:
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as console:
            try:
                console.bind(f"/proc/self/fd/{directory}/tty")
            finally:
                os.close(directory)
            console.listen(1)
            console.settimeout(AGENT_TIMEOUT_S)
            self._execute(subprocess.DEVNULL, subprocess.DEVNULL, "--console-socket", "tty")
            connection, _ = console.accept()  # runc has connected and sent it before it returned
            with connection:
                _, files, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
        if not files:
            raise Unavailable("The terminal inside the dyno could not be opened.")
        return files

    def _execute(self, stdin: int, output: int, *options: str) -> None:
        """Runs runc, which leaves the command to us: this process adopts orphans (prctl(2), PR_SET_CHILD_SUBREAPER)."""
        dyno_id = str(self._dyno.kept.id)
        files = ["--process", "process.json", "--pid-file", "pid"]
        command = [shim.runc_path(), "--root", str(self._site.home.runtime), "--log", "log", "exec", "--detach", *files, *options, dyno_id]
        started = subprocess.Popen(
            command, stdin=stdin, stdout=output, stderr=output, env=shim.ENV, cwd=self._directory, start_new_session=True
        )
        try:
            status = ending.status(started, AGENT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            started.kill()
            ending.status(started, AGENT_TIMEOUT_S)
            raise
        if status != 0:
            raise Unavailable(f"The command could not be started inside {self._dyno.kept.name}: {self._complaint()}")
        self._pid = int((self._directory / "pid").read_text())

    def _complaint(self) -> str:
        log = self._directory / "log"
        return log.read_text()[-300:].strip() if log.exists() else "runc gave no reason"
