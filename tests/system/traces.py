"""What a copy of the platform has outside its home, found by asking the machine and not the platform.

Other copies run beside it, so only what carries this one's names counts: its lot's number, or its home's path.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_UIDS = 10_000
_LOTS = Path("/run/senryu-lots")


def traces(home: Path, lot: int | None) -> set[str]:
    """One line for each thing that is there: `link sn-3`, `mount /x`, `process 4711 conmon …`. Empty: the copy has left."""
    found = {*_mounts(home), *_loops(home), *_processes(home, None), *_named_namespaces(home), *_claims(home)}
    if lot is not None:
        numbered = {*_processes(home, lot), *_links(lot), *_tables(lot), *_cgroups(lot), *_routes(lot)}
        if not _is_anothers(lot, home):  # asked last: whoever draws a number that was given back claims it before all else
            found |= numbered
    return found


def kinds(found: set[str]) -> set[str]:
    """The first words of traces."""
    return {trace.split(" ", 1)[0] for trace in found}


def lot_of(home: Path) -> int | None:
    """The number that the home drew, None when its agent never ran."""
    record = home / "agent" / "lot"
    return int(record.read_text()) if record.exists() else None


def _is_anothers(lot: int, home: Path) -> bool:
    with contextlib.suppress(OSError):
        return (_LOTS / str(lot)).read_text() not in ("", str(home))
    return False


def _output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()


def _links(lot: int) -> Iterator[str]:
    for line in _output("ip", "-o", "link"):
        name = line.split(": ")[1].split("@")[0]
        if name == f"sn-{lot}" or name.startswith(f"sn{lot}-"):
            yield f"link {name}"


def _routes(lot: int) -> Iterator[str]:
    for line in _output("ip", "-o", "route", "show", "table", "all"):
        if re.search(rf"\bdev (sn-{lot}|sn{lot}-\d+)\b", line):
            yield f"route {line}"


def _tables(lot: int) -> Iterator[str]:
    for line in _output("nft", "list", "tables"):
        if line.split()[-1] == f"senryu_{lot}":
            yield f"nftables {line}"


def _named_namespaces(home: Path) -> Iterator[str]:
    for line in _output("ip", "netns"):
        if home.name in line:
            yield f"netns {line}"


def _cgroups(lot: int) -> Iterator[str]:
    for top in Path("/sys/fs/cgroup").glob("*/"):
        for name in (f"senryu-{lot}", f"senryu-{lot}-shims"):
            yield from (f"cgroup {group}" for group in (top, top / name) if group.name == name and group.is_dir())


def _mounts(home: Path) -> Iterator[str]:
    for table in {*Path("/proc").glob("[0-9]*/mountinfo")}:
        with contextlib.suppress(OSError):
            for line in table.read_text().splitlines():
                if f"{home}/" in line:
                    yield f"mount {line.split()[4]}"


def _loops(home: Path) -> Iterator[str]:
    for line in _output("losetup", "-a"):
        if f"{home}/" in line:
            yield f"loop {line}"


def _claims(home: Path) -> Iterator[str]:
    for claim in _LOTS.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if claim.read_text() == str(home):
                yield f"claim {claim}"


def _processes(home: Path, lot: int | None) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            uid = process.stat().st_uid
            is_dynos = lot is not None and 2_000_000 + lot * _UIDS <= uid < 2_000_000 + (lot + 1) * _UIDS
            if is_dynos or f"{home}/" in words or words.rstrip().endswith(str(home)):
                yield f"process {process.name} {words[:120] or _state(process)}"


def _state(process: Path) -> str:
    """What the kernel tells of one that has no words any more: `State: Z (zombie)`, `PPid: 1`."""
    return ", ".join(re.findall(r"^(?:Name|State|PPid):.*", (process / "status").read_text(), re.MULTILINE)).replace("\t", " ")
