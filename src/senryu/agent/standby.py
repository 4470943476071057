"""A copy of the platform's PostgreSQL server that follows it: all followers' databases, to be read only.

Made by pg_basebackup through the server's own socket, fed from a replication slot, which keeps a bounded part of the log for it. When that
was not enough, the copy is made anew. While it is being made nobody waits: whoever looks after it comes again.

Source: PostgreSQL documentation, "Log-Shipping Standby Servers", "Hot Standby", pg_basebackup, pg_replication_slots.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from senryu.core.data_server import DataServer
from senryu.core.errors import Unavailable

from . import foreign, postgres, record

_LOOK_S = 30.0  # how long the slot is believed to be there
_STARTS_MAX = 5  # of one copy, before it is made anew
_SQL_TIMEOUT_S = 15.0
_SPARE_BYTES = 512 * 1024 * 1024  # of the disk, for what is written meanwhile
_GONE_TIMEOUT_S = 15.0
_MADE = "SELECT count(pg_create_physical_replication_slot('senryu_standby', true))"
_STATUS = "SELECT coalesce(wal_status, 'lost') FROM pg_replication_slots WHERE slot_name = 'senryu_standby'"
_CUT = "SELECT count(pg_terminate_backend(active_pid)) FROM pg_replication_slots WHERE slot_name = 'senryu_standby' AND active"
_DROP = "SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots WHERE slot_name = 'senryu_standby' AND NOT active"


class Program:
    """See data.Program. The server it follows must run when `run` or `remove` is called. `note` is a file of the agent's own."""

    def __init__(self, place: postgres.Place, leader: postgres.Place, note: Path) -> None:
        self._place, self._leader, self._note, self.port = place, leader, note, place.port
        self._copying: subprocess.Popen[bytes] | None = None
        self._looked_s, self._failed = 0.0, 0

    def run(self) -> DataServer:
        """See data.Program. One that is still being made is not ready."""
        self._looked_s = time.monotonic()
        if self._place.data.exists() and self._is_lost():
            self._discard()
        if not self._place.data.exists() and not self._is_copied():
            return self._server(is_ready=False)
        try:
            postgres.run(self._place)
        except Unavailable:
            self._failed += 1
            if self._failed >= _STARTS_MAX:
                self._discard()
            raise
        self._failed = 0
        return self._server(is_ready=True)

    def is_running(self) -> bool:
        """See data.Program. Now and then it says no, so that the slot is looked at."""
        return postgres.is_running(self._place) and time.monotonic() < self._looked_s + _LOOK_S

    def stop(self) -> None:
        """See data.Program."""
        self._end_copying()
        postgres.stop(self._place)

    def remove(self) -> None:
        """Ends it and takes it away, its slot first: a slot without a server would keep log for nobody. May be repeated."""
        self.stop()
        self._drop_slot()
        shutil.rmtree(self._place.root, ignore_errors=True)
        self._failed = 0

    def is_there(self) -> bool:
        """Whether there is anything of it, a slot too."""
        return self._place.root.exists()

    def used_bytes(self) -> int:
        """What it takes on disk."""
        return foreign.used_bytes(self._place.root)

    def _server(self, *, is_ready: bool) -> DataServer:
        return DataServer(self._place.address, self.port, str(self._place.sockets), is_ready)

    @property
    def _growing(self) -> Path:
        return self._place.root / "cluster.growing"

    def _is_copied(self) -> bool:
        """Whether the copy is whole; begins one when none is being made. Raises: Unavailable with its last words when it failed."""
        if self._copying is None:
            self._begin()
            return False
        status = self._copying.poll()
        if status is None:
            return False
        self._copying = None
        if status != 0:
            last = (foreign.said(self._place.root / "copy.log") or ["pg_basebackup says nothing"])[-1]
            raise Unavailable(f"The copy of the databases' server could not be made: {last[-200:]}")
        foreign.remove(self._growing, "archive.conf")
        self._growing.rename(self._place.data)
        return True

    def _begin(self) -> None:
        self._end_copying()  # one that an earlier agent began: whether it ended well nobody knows
        needed = foreign.used_bytes(self._leader.data) + _SPARE_BYTES
        if shutil.disk_usage(self._leader.root).free < needed:
            raise Unavailable(f"A copy of the databases' server needs {needed >> 20} MB on a disk that has less; ask its owner.")
        postgres.prepare_folders(self._place)
        growing = postgres.emptied(self._place)
        self._drop_slot()
        self._asked(_MADE)
        words = ["pg_basebackup", "-D", growing, "-h", self._leader.sockets, "-p", self._leader.port, "-U", postgres.ADMIN]
        words += ["-X", "stream", "-S", postgres.SLOT, "--checkpoint=fast", "--no-password"]
        program = postgres.programs_of(self._leader) / "pg_basebackup"
        with foreign.fresh(self._place.root / "copy.log") as log:
            process = subprocess.Popen(
                [str(program), *(str(word) for word in words[1:])],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, **postgres.owner_of(self._place),  # type: ignore[call-overload]
            )  # fmt: skip
        record.replace(self._note, f"{process.pid} {record.birth(process.pid)}".encode())
        self._copying = process

    def _end_copying(self) -> None:
        """Also one that an earlier agent began."""
        with contextlib.suppress(OSError, ValueError):
            pid, born = (int(word) for word in self._note.read_text().split())
            if record.birth(pid) == born:
                os.kill(pid, signal.SIGKILL)
                record.await_end(pid, born, time.monotonic() + _GONE_TIMEOUT_S)
        if self._copying is not None:
            self._copying.wait(_GONE_TIMEOUT_S)
        self._note.unlink(missing_ok=True)
        self._copying = None

    def _is_lost(self) -> bool:
        """Whether the log that the copy needs is no longer kept for it."""
        return self._asked(_STATUS) in ("", "lost")

    def _discard(self) -> None:
        postgres.stop(self._place)
        shutil.rmtree(self._place.data, ignore_errors=True)
        self._failed = 0

    def _drop_slot(self) -> None:
        deadline = time.monotonic() + _GONE_TIMEOUT_S
        while self._asked(_STATUS):
            if time.monotonic() > deadline:
                raise Unavailable("The replication slot of the databases' server stays in use; try again in a minute.")
            self._asked(_CUT)
            self._asked(_DROP)
            time.sleep(0.05)

    def _asked(self, statement: str) -> str:
        """What the server that is followed answers. Raises: Unavailable."""
        words = [postgres.programs_of(self._leader) / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self._leader.sockets]
        words += ["-p", self._leader.port, "-U", postgres.ADMIN, "-d", "postgres", "-c", statement]
        try:
            done = subprocess.run(
                [str(word) for word in words], capture_output=True, text=True, timeout=_SQL_TIMEOUT_S, check=False, cwd="/",
                stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                **postgres.owner_of(self._leader),  # type: ignore[call-overload]
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unavailable("PostgreSQL's server does not answer; try again in a minute.") from None
        if done.returncode != 0:
            raise Unavailable(f"PostgreSQL's server does not let itself be followed: {done.stderr.strip()[-200:]}")
        return str(done.stdout).strip()
