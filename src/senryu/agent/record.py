"""What the agent keeps on disk of a dyno: enough to find it again, never its environment."""

from __future__ import annotations

import contextlib
import os
import select
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec

from senryu.core.dyno import DynoKind

_NAME = "record.json"


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One started dyno. A process is named by its id and birth (clock ticks since boot), as ids come back; `boot` names the boot."""

    id: UUID
    app_id: UUID
    app_name: str
    name: str
    kind: DynoKind
    slug: str | None
    port: int
    tty: bool
    stdin: bool
    columns: int
    lines: int
    index: int
    started_at: datetime
    boot: str
    shim_pid: int
    shim_birth: int
    init_pid: int
    init_birth: int
    reaches: tuple[int, ...] = ()


def write(directory: Path, record: Record) -> None:
    """Keeps `record` in the dyno's directory, all or nothing."""
    replace(directory / _NAME, msgspec.json.encode(record))


def read(directory: Path) -> Record | None:
    """The record of a dyno, None when its start did not get that far."""
    try:
        return msgspec.json.decode((directory / _NAME).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def replace(path: Path, content: bytes) -> None:
    """Writes a file of root's, all or nothing."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def birth(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when there is none. Source: proc(5), stat field 22."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return None


def await_end(pid: int, born: int, deadline_s: float) -> None:
    """Waits until the process `pid` born at `born` has ended, at most `deadline_s`."""
    if birth(pid) != born:
        return
    with contextlib.suppress(ProcessLookupError):
        end = os.pidfd_open(pid)
        try:
            select.select([end], [], [], deadline_s)
        finally:
            os.close(end)


def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)
