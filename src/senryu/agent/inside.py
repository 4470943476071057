"""Commands inside a running dyno: `runc exec`, its terminal or pipes handed to senryud. They end with the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from senryu.core.errors import NotFound, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import bundle, protocol, shim
from . import order as orders
from .dyno import Dyno
from .launch import Site
from .record import replace
from .wire import Channel

_HANGUP_GRACE_S = 5.0


async def run(request: protocol.RunInside, dyno: Dyno, site: Site, channel: Channel) -> None:
    """Answers `Opened` with the command's stdio, then `Exited` with its status.

    Raises: NotFound when the dyno does not run; Invalid, Unavailable.
    """
    orders.check_command(request.command, request.env)
    if dyno.exit_status is not None:
        raise NotFound(f"{dyno.kept.name} does not run.")
    with TemporaryDirectory(dir=site.home.dyno(dyno.kept.id), prefix="inside-") as directory:
        command = _Command(Path(directory), dyno, site)
        try:
            files = await asyncio.to_thread(command.start, request)
            try:
                async with asyncio.timeout(AGENT_TIMEOUT_S):
                    await channel.send(protocol.encoded(protocol.Opened(tty=request.tty)), files)
            finally:
                for file in files:
                    os.close(file)
            status = await _status_or_hangup(command, channel)
        finally:
            await asyncio.shield(asyncio.to_thread(command.hang_up))
    if status is not None:
        await channel.send(protocol.encoded(protocol.Exited(status)))


async def _status_or_hangup(command: _Command, channel: Channel) -> int | None:
    ended = asyncio.ensure_future(asyncio.to_thread(command.wait))
    gone = asyncio.ensure_future(channel.closed())
    try:
        await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
        return ended.result() if ended.done() else None
    finally:
        gone.cancel()
        ended.cancel()


class _Command:
    """One `runc exec` and what it left in `directory`."""

    def __init__(self, directory: Path, dyno: Dyno, site: Site) -> None:
        self._directory = directory
        self._dyno = dyno
        self._site = site
        self._runc: subprocess.Popen[bytes] | None = None

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

    def wait(self) -> int:
        """The exit status, as a shell gives it."""
        assert self._runc is not None
        status = self._runc.wait()
        return status if status >= 0 else 128 - status

    def hang_up(self) -> None:
        """Ends what still runs: HUP, then KILL to the command and whatever shares its session."""
        if self._runc is None or self._runc.poll() is not None:
            return
        for number in (signal.SIGHUP, signal.SIGKILL):
            for pid in self._session():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._runc.wait(_HANGUP_GRACE_S)
                return
        self._runc.kill()
        self._runc.wait(AGENT_TIMEOUT_S)

    def _session(self) -> list[int]:
        try:
            leader = int((self._directory / "pid").read_text())
            session = os.getsid(leader)
        except (OSError, ValueError):
            return []
        found = [leader]
        for pid in self._dyno.cgroup.pids():
            with contextlib.suppress(ProcessLookupError):
                if pid != leader and session == leader and os.getsid(pid) == session:
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
            try:
                connection, _ = console.accept()
            except TimeoutError:
                raise Unavailable("The terminal inside the dyno could not be opened.") from None
            with connection:
                connection.settimeout(AGENT_TIMEOUT_S)
                _, files, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
        if not files:
            raise Unavailable("The terminal inside the dyno could not be opened.")
        return files

    def _execute(self, stdin: int, output: int, *options: str) -> None:
        dyno_id = str(self._dyno.kept.id)
        files = ["--process", "process.json", "--pid-file", "pid"]
        command = [shim.runc_path(), "--root", str(self._site.home.runtime), "--log", "log", "exec", *files, *options, dyno_id]
        self._runc = subprocess.Popen(
            command, stdin=stdin, stdout=output, stderr=output, env=shim.ENV, cwd=self._directory, start_new_session=True
        )
