"""What the PostgreSQL server was at any moment of the last days: base backups and archived write-ahead log, by pgBackRest.

All tenants share one server, so a moment of one of them is had by restoring the server to that moment beside the running one, where
nobody can reach it, with the files of that tenant's database only; pg_dump takes the database out of it.

Source: pgBackRest User Guide and Command Reference (2.45); PostgreSQL documentation, "Continuous Archiving and Point-in-Time Recovery".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from senryu.core.errors import Invalid, Unavailable

from . import foreign, postgres
from .wire import ready

_TOOL = "/usr/bin/pgbackrest"
_STANZA = "tenants"
_DATABASE = re.compile(r"^d[0-9a-f]{16}\Z")
_DAYS_MAX = 366
_COMMAND_TIMEOUT_S = 6 * 3600.0
_START_TIMEOUT_S = 3600.0  # replaying the log up to the moment
_STOP_TIMEOUT_S = 30.0
_PROGRAM_STOP_TIMEOUT_S = 5.0
_FULL_EVERY_S = 4 * 24 * 3600.0


def settings_text(place: postgres.Place, days: int) -> str:
    """pgBackRest's configuration. Pure."""
    root = place.root
    return "\n".join(
        (
            "[global]",
            f"repo1-path={root}/history",
            "repo1-retention-full-type=time",
            f"repo1-retention-full={max(days, 1)}",
            "compress-type=lz4",
            "compress-level=1",
            "start-fast=y",
            "process-max=1",
            "log-level-console=warn",
            "log-level-file=off",
            f"lock-path={root}/lock",
            f"spool-path={root}/spool",
            f"[{_STANZA}]",
            f"pg1-path={place.data}",
            f"pg1-socket-path={place.sockets}",
            f"pg1-port={place.port}",
            f"pg1-user={postgres.ADMIN}",
            "pg1-database=postgres",
            "",
        )
    )


def check_days(days: int) -> None:
    """Raises: Invalid for what is no number of days to keep."""
    if not 0 <= days <= _DAYS_MAX:
        raise Invalid(f"A history can be kept for 0 to {_DAYS_MAX} days.")


def check_database(name: str) -> None:
    """Raises: Invalid for what is no database of the platform's server."""
    if not _DATABASE.match(name):
        raise Invalid("That is no name of a database.")


class History:
    """The history of one server. One command at a time; a rewound server is beside it until it is forgotten."""

    def __init__(self, place: postgres.Place) -> None:
        self._place = place
        self._alone = asyncio.Lock()

    async def keep(self, days: int) -> None:
        """Archives from now on, and makes a base backup; 0 days end it and remove it all. Raises: Invalid, Unavailable."""
        check_days(days)
        async with self._alone:
            if days == 0:
                await asyncio.to_thread(self._end)
            else:
                await self._back_up(days)

    async def _back_up(self, days: int) -> None:
        await asyncio.to_thread(self._configure, days)
        await self._pgbackrest("stanza-create")
        push = f"pgbackrest {_configured(self._place)} --stanza={_STANZA} archive-push %p"
        await asyncio.to_thread(postgres.archive, self._place, push)
        kind = "full" if self._full_is_due() else "incr"
        await self._pgbackrest(f"--type={kind}", "backup")
        if kind == "full":
            foreign.fresh(self._full).close()

    async def rewind(self, id: UUID, at: datetime, database: str) -> str:
        """Starts the server of a moment; gives the directory of its socket. Raises: Invalid when there is no such moment, Unavailable."""
        check_database(database)
        await self.forget(id)
        place = self._rewound(id)
        try:
            async with self._alone:
                await self._restore(place, at, database)
            await self._started(place)
        except BaseException:
            await asyncio.shield(self.forget(id))
            raise
        return str(place.sockets)

    async def _restore(self, place: postgres.Place, at: datetime, database: str) -> None:
        await asyncio.to_thread(self._make_room, place)
        await self._pgbackrest("check")  # the log up to now goes into the archive
        moment = f"--target={at.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f+00')}"
        wanted = ("--type=time", moment, "--target-action=promote", "--archive-mode=off", f"--pg1-path={place.data}", "restore")
        try:
            await self._pgbackrest(f"--db-include={database}", *wanted)
        except Unavailable as problem:
            if "unable to find backup set" in problem.message:
                raise Invalid("The history of this platform's databases does not reach back to that time; choose a later one.") from None
            if "database to include" not in problem.message:
                raise
            await self._pgbackrest(*wanted)  # made since the base backup, which has no files of it

    async def forget(self, id: UUID) -> None:
        """Ends the server of a moment and removes it. May be repeated."""
        await asyncio.to_thread(_remove, self._rewound(id))

    async def used_bytes(self) -> int:
        """What the history takes on disk."""
        return await asyncio.to_thread(foreign.used_bytes, self._place.root / "history")

    def forget_all(self) -> None:
        """Servers of moments that an earlier agent left. Blocks."""
        for root in self._place.root.glob("past-*"):
            _remove(postgres.Place(root, "", self._place.subnet, self._place.platform_user, self._place.owner, self._place.port))

    def end_programs(self) -> None:
        """Ends pgBackRest's, whoever began them: the server, this agent or one that was killed. Blocks."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _PROGRAM_STOP_TIMEOUT_S
            while (left := _programs(self._place)) and time.monotonic() < deadline:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                time.sleep(0.05)

    def sockets(self, id: UUID) -> Path:
        """Where a rewound server is reached."""
        return self._rewound(id).sockets

    def _rewound(self, id: UUID) -> postgres.Place:
        mine = self._place  # the name is short, as a socket's path may have 107 bytes (unix(7))
        return postgres.Place(mine.root / f"past-{id.hex[:12]}", "", mine.subnet, mine.platform_user, mine.owner, mine.port)

    def _end(self) -> None:
        if (self._place.root / "history").exists():
            postgres.archive(self._place, "/bin/true")
            shutil.rmtree(self._place.root / "history", ignore_errors=True)
        self._full.unlink(missing_ok=True)

    @property
    def _full(self) -> Path:
        """As old as the last full base backup. Not in the history itself, which is the server's own."""
        return self._place.root / "full-backup"

    def _full_is_due(self) -> bool:
        return not self._full.exists() or time.time() - self._full.stat().st_mtime > _FULL_EVERY_S

    def _configure(self, days: int) -> None:
        if not os.access(_TOOL, os.X_OK):
            raise Unavailable("pgBackRest is not on this machine: install Debian's package `pgbackrest`, or run ./quickstart again.")
        postgres.prepare_folders(self._place)
        uid, gid = postgres.ids_of(self._place)
        for name in ("history", "lock", "spool"):
            foreign.hand(self._place.root / name, uid, gid, 0o700)
        foreign.write(self._place.root, "pgbackrest.conf", settings_text(self._place, days), group=gid, mode=0o640)

    def _make_room(self, place: postgres.Place) -> None:
        postgres.prepare_folders(self._place)
        uid, gid = postgres.ids_of(place)
        foreign.top(place.root)
        foreign.hand(place.sockets, uid, postgres.group_of(place), 0o750)
        foreign.hand(place.data, uid, gid, 0o700)

    async def _pgbackrest(self, *arguments: str) -> None:
        command = [_TOOL, _configured(self._place), f"--stanza={_STANZA}", *arguments]
        await _ran(command, postgres.owner_of(self._place), self._place.root / "pgbackrest.log")

    async def _started(self, place: postgres.Place) -> None:
        log = place.root / "said.log"
        with foreign.fresh(log) as said:
            settings = {
                "listen_addresses": "",
                "unix_socket_directories": str(place.sockets),
                "ssl": "off",
                "archive_mode": "off",
                "hot_standby": "off",  # nobody is let in before the log is replayed
                "logging_collector": "off",
                "shared_preload_libraries": "",
                "shared_buffers": "32MB",
            }
            words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            started = subprocess.Popen(
                [str(postgres.programs_of(self._place) / "postgres"), "-D", str(place.data), *words],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd="/",
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, **postgres.owner_of(place),  # type: ignore[call-overload]
            )  # fmt: skip
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not await asyncio.to_thread(_is_promoted, place):
            if started.poll() is not None or time.monotonic() > deadline:
                raise Invalid(f"The server could not be brought back to that time: {_last_words(log)}")
            await asyncio.sleep(0.1)


def _programs(place: postgres.Place) -> list[int]:
    """The processes of the server's user that were begun with our configuration."""
    uid, _ = postgres.ids_of(place)
    mark, found = os.fsencode(_configured(place)), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == uid and mark in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def _configured(place: postgres.Place) -> str:
    return f"--config={place.root}/pgbackrest.conf"


def _is_promoted(place: postgres.Place) -> bool:
    """Whether the log was replayed up to the moment, and the server takes connections of its own."""
    lines = (foreign.read(place.data, "postmaster.pid") or "").splitlines()
    return len(lines) > 7 and lines[7].strip() == "ready" and not os.path.lexists(place.data / "recovery.signal")


def _last_words(log: Path) -> str:
    lines = [line for line in foreign.said(log) if "FATAL" in line or "ERROR" in line]
    return (lines or ["it says nothing"])[-1].partition("FATAL:")[2].strip()[:200] or "it says nothing"


def _remove(place: postgres.Place) -> None:
    if not place.root.exists():
        return
    pid = postgres.pid_of(place)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)
    shutil.rmtree(place.root, ignore_errors=True)


async def _ran(command: list[str], owner: dict[str, object], log: Path) -> None:
    """Runs a command to its end. Raises: Unavailable with its last words."""
    with foreign.fresh(log) as said:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, **owner,  # type: ignore[call-overload]
        )  # fmt: skip
    end = os.pidfd_open(started.pid)
    try:
        async with asyncio.timeout(_COMMAND_TIMEOUT_S):
            await ready(end)
    except TimeoutError:
        raise Unavailable(f"pgBackRest did not end within {_COMMAND_TIMEOUT_S / 3600:.0f} hours.") from None
    finally:
        os.close(end)
        if started.poll() is None:
            started.kill()
        started.wait()
    if started.returncode != 0:
        said_last = [line for line in foreign.said(log) if "ERROR" in line or "FATAL" in line]
        raise Unavailable(f"The history of the databases failed: {(said_last or ['pgBackRest says nothing'])[0][-300:]}")
