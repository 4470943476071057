"""pg_dump and pg_restore for one database: a user of their own, no file but /usr, no network but the way to the server.

What they read may be hostile: an archive somebody uploaded, or the catalog of a tenant's database. So they connect as the tenant, never
as an administrator, and share no user with the server. Source: bwrap(1), setpriv(1); PostgreSQL documentation, pg_dump, pg_restore, libpq.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from senryu.core.archive import DatabaseAddress
from senryu.core.errors import Invalid, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import foreign, protocol
from .wire import Channel, ready

_PROGRAMS = Path("/usr/lib/postgresql")
_SOCKETS = "/run/postgresql"
_LOCK_WAIT_MS = 60_000
_MEMORY_BYTES = 2 * 1024**3
_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,63}\Z")
_HOST = re.compile(r"^[A-Za-z0-9.:-]{1,253}\Z")


def _program(request: protocol.RunArchiveProgram) -> list[str]:
    """The program and its arguments: none of them is secret, none is free text. Raises: Unavailable."""
    found = sorted(_PROGRAMS.glob("*/bin/pg_dump"), key=lambda path: int(path.parents[1].name))
    if not found:
        raise Unavailable("pg_dump is not on this machine: install Debian's package `postgresql`.")
    folder = found[-1].parent
    if request.program == "dump":
        names = () if request.extensions is None else ("plpgsql", *request.extensions)
        chosen = [f"--extension={name}" for name in names]
        return [str(folder / "pg_dump"), "--format=custom", "--verbose", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}", *chosen]
    if request.program == "entries":
        return [str(folder / "pg_restore"), "--list"]
    cleaning = ["--clean", "--if-exists"] if request.clean else []
    listed = ["--use-list=/entries"] if request.entries else []
    into = f"--dbname={request.database.database}" if request.database else ""
    return [str(folder / "pg_restore"), "--verbose", "--no-password", "--no-owner", "--no-acl", *cleaning, *listed, into]


def check(request: protocol.RunArchiveProgram) -> None:
    """Raises: Invalid for a database that is missing, and for what a program would read as something else than a name."""
    if request.database is not None:
        _check_address(request.database)
    elif request.program != "entries":
        raise Invalid("This needs a database.")
    if not all(_NAME.match(name) for name in request.extensions or ()):
        raise Invalid("That is no name of an extension.")


def _check_address(to: DatabaseAddress) -> None:
    fits = _NAME.match(to.database) and to.user and "\0" not in to.user + to.password and 0 < to.port < 65536
    if not fits or (to.host and not _HOST.match(to.host)):
        raise Invalid("A database's address may have letters, digits, `_`, `-` and `.` only.")
    if to.address:
        try:
            ip_address(to.address)
        except ValueError:
            raise Invalid("That is no address of a database.") from None


def _environment(to: DatabaseAddress | None) -> dict[str, str]:
    """How the programs find the server. The password is in no argument; only the program's own user can read this."""
    if to is None:
        return {}
    found = {"PGHOST": to.host or _SOCKETS, "PGPORT": str(to.port), "PGDATABASE": to.database, "PGUSER": to.user, "PGPASSWORD": to.password}
    if to.address:
        found["PGHOSTADDR"] = to.address
    if to.host:
        found["PGSSLMODE"] = "require" if to.must_encrypt else "prefer"
    return {**found, "PGAPPNAME": "senryu backups", "PGCONNECT_TIMEOUT": "20"}


def _sandbox(to: DatabaseAddress | None, sockets: Path, uid: int, entries: int | None) -> list[str]:
    away = to is not None and bool(to.host)
    seen = ["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf", "--ro-bind-try", "/etc/hosts", "/etc/hosts"] if away else []
    if to is not None and not away:
        name = f".s.PGSQL.{to.port}"
        seen = ["--tmpfs", "/run", "--dir", _SOCKETS, "--chmod", "0755", _SOCKETS, "--bind", str(sockets / name), f"{_SOCKETS}/{name}"]
    if entries is not None:
        seen += ["--perms", "0444", "--ro-bind-data", str(entries), "/entries"]
    return [
        "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
        *([] if away else ["--unshare-net"]),
        "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP",
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", *seen,
        "--", "prlimit", "--core=0", f"--as={_MEMORY_BYTES}", "--",
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
        "--pdeathsig", "KILL", "--",
    ]  # fmt: skip


async def run(request: protocol.RunArchiveProgram, sockets: Path, uid: int, channel: Channel) -> None:
    """Answers `Opened` with the program's stdin, stdout and stderr, then `Exited`. The program ends with the connection.

    Raises: Invalid, Unavailable.
    """
    started, files = await asyncio.to_thread(_start, request, sockets, uid)
    try:
        try:
            async with asyncio.timeout(AGENT_TIMEOUT_S):
                await channel.send(protocol.encoded(protocol.Opened()), files)
        finally:
            for file in files:
                os.close(file)
        status = await channel.while_open(_end(started))
    finally:
        await asyncio.shield(asyncio.to_thread(_kill, started))
    await channel.send(protocol.encoded(protocol.Exited(status)))


def _start(request: protocol.RunArchiveProgram, sockets: Path, uid: int) -> tuple[subprocess.Popen[bytes], Sequence[int]]:
    check(request)
    to = request.database
    if to is not None and not to.host:
        _check_socket(sockets / f".s.PGSQL.{to.port}")
    command = _program(request)
    with contextlib.ExitStack() as inner, contextlib.ExitStack() as outer:
        ends = [os.pipe() for _ in range(3)]
        mine = (ends[0][1], ends[1][0], ends[2][0])
        theirs = (ends[0][0], ends[1][1], ends[2][1])
        for file in mine:
            outer.callback(os.close, file)
        for file in theirs:
            inner.callback(os.close, file)
        entries = _file_of(request.entries, inner) if request.entries else None
        started = subprocess.Popen(
            [*_sandbox(to, sockets, uid, entries), *command],
            stdin=theirs[0],
            stdout=theirs[1],
            stderr=theirs[2],
            env={"PATH": "/usr/bin:/usr/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC", **_environment(to)},
            pass_fds=() if entries is None else (entries,),
            cwd="/",
            start_new_session=True,
        )
        outer.pop_all()
    return started, mine


def _check_socket(path: Path) -> None:
    """bwrap follows a link, and would show the program whatever it leads to."""
    try:
        with foreign.held_socket(path):
            pass
    except OSError:
        raise Unavailable("The server of that database does not run; try again in a minute.") from None


def _file_of(text: str, stack: contextlib.ExitStack) -> int:
    file = os.memfd_create("entries")
    stack.callback(os.close, file)
    with open(file, "wb", closefd=False) as writing:
        writing.write(text.encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


async def _end(started: subprocess.Popen[bytes]) -> int:
    end = os.pidfd_open(started.pid)
    try:
        await ready(end)
    finally:
        os.close(end)
    status = started.wait()
    return status if status >= 0 else 128 - status


def _kill(started: subprocess.Popen[bytes]) -> None:
    if started.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(started.pid, signal.SIGKILL)
    started.wait(AGENT_TIMEOUT_S)
