"""Which key-value stores a home has: a file for each, root's own, with what its server runs with."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from uuid import UUID

import msgspec

from senryu.core.errors import Invalid, NotFound, Unavailable
from senryu.core.key_value_store import EVICTION, StoreOrder
from senryu.core.limits import GIB, MIB

from . import record, redis
from .home import Home
from .lot import Lot

_PREFIX = "redis-"
_VERIFIER = re.compile(r"[0-9a-f]{64}")
# Below the first, durable stores take no writes; above the second they take them again.
_FULL_BYTES, _ROOMY_BYTES = 64 * MIB, 128 * MIB
_EVENTS = re.compile(r"[KEg$lshzxetdmnA]{0,16}")


def name_of(id: UUID) -> str:
    """The name of an add-on's server."""
    return f"{_PREFIX}{id}"


def check(order: StoreOrder) -> None:
    """The agent believes nothing senryud says. Raises: Invalid, naming what is wrong with the order."""
    checks = {
        "memory_bytes": order.memory_bytes is None or MIB <= order.memory_bytes <= 1024 * GIB,
        "connections": order.connections is None or 1 <= order.connections <= 65_000,
        "verifiers": all(_VERIFIER.fullmatch(each) for each in order.verifiers or ()) and len(order.verifiers or ()) <= 2,
        "eviction": order.eviction is None or order.eviction in EVICTION,
        "timeout_s": order.timeout_s is None or 0 <= order.timeout_s <= 2**31 - 1,
        "events": order.events is None or _EVENTS.fullmatch(order.events) is not None,
    }
    for name, is_right in checks.items():
        if not is_right:
            raise Invalid(f"The order of a key-value store has a wrong `{name}`.")


class Stores:
    """What is kept of them."""

    def __init__(self, home: Home, lot: Lot) -> None:
        self._files, self._root, self._lot, self._gid = home.agent / "data", home.root / "data" / "redis", lot, home.gid
        self._is_full = False
        self._told: dict[str, tuple[int | None, bool]] = {}

    def names(self) -> list[str]:
        """Of all servers."""
        return sorted(path.name for path in self._files.glob(f"{_PREFIX}*") if "." not in path.name)

    def is_kept(self, name: str) -> bool:
        """Whether there is such a server."""
        return (self._files / name).exists()

    def keep(self, order: StoreOrder) -> None:
        """Notes what a server is to be. Raises: NotFound for one that is not there and gets no password, Unavailable."""
        name = name_of(order.id)
        if not self.is_kept(name) and order.verifiers is None:
            raise NotFound("There is no such key-value store on this machine.")
        kept = self._read(name) if self.is_kept(name) else redis.drawn(order.id, {self._read(other).port for other in self.names()})
        self._files.mkdir(mode=0o700, exist_ok=True)
        record.replace(self._files / name, msgspec.json.encode(redis.changed(kept, order)))
        for path in (self._files / name, self._files):  # the only copy of the administrator's password
            _flush(path)

    def program(self, name: str) -> redis.Program:
        """The server."""
        kept = self._read(name)
        place = self._root / str(kept.port)
        return redis.Program(kept, place, self._note(name), self._lot, self._gid, is_closed=self._look_at_disk())

    def guard(self) -> None:
        """Durable stores take writes while the disk has room for them. To be called again and again; what fails is done the next time."""
        for name in self.names():
            with contextlib.suppress(OSError, Unavailable):
                program = self.program(name)
                wanted = (program.pid(), self._is_full)
                if program.is_durable and wanted[0] is not None and self._told.get(name) != wanted:
                    program.close(self._is_full)
                    self._told[name] = wanted

    def _look_at_disk(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            disk = os.statvfs(self._root)
            self._is_full = disk.f_bavail * disk.f_frsize < (_ROOMY_BYTES if self._is_full else _FULL_BYTES)
        return self._is_full

    def is_running(self, name: str) -> bool:
        """Whether its process is there."""
        return self.program(name).is_running()

    def forget(self, name: str) -> None:
        """After its data went."""
        self._told.pop(name, None)
        for path in (self._note(name), self._files / name):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _note(self, name: str) -> Path:
        return self._files / f"{name}.process"

    def _read(self, name: str) -> redis.Kept:
        return msgspec.json.decode((self._files / name).read_bytes(), type=redis.Kept)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
