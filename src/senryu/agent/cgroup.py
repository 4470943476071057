"""Control groups of dynos on v1, v2 and hybrid machines: who is in, how much memory they use, whether the kernel killed one.

Limits are set by runc from the bundle. Source: cgroups(7), kernel documentation admin-guide/cgroup-v2 and cgroup-v1/memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import UUID

from .lot import Lot

_ROOT = Path("/sys/fs/cgroup")
_SHIMS_BEFORE = "shims"  # below the dynos' group, in versions before November 2026
_ENDING_S = 5.0
_STAY_S = 0.004  # less than what a quiet moment takes to come
# Of each period all conmons together get so much: 5 % of one processor. The least time and a short period, so that none is held up long.
_SHIMS_QUOTA_US, _SHIMS_PERIOD_US = 1_000, 20_000


def is_v2() -> bool:
    """Whether this machine has only the unified hierarchy."""
    return (_ROOT / "cgroup.controllers").exists()


def has_swap_limit() -> bool:
    """Whether the kernel counts swap by group; some distributions boot without."""
    if is_v2():
        return any(_ROOT.glob("*/memory.swap.max"))
    return (_ROOT / "memory" / "memory.memsw.limit_in_bytes").exists()


class Cgroup:
    """The control group of one dyno."""

    def __init__(self, lot: Lot, dyno_id: UUID) -> None:
        self.path = f"/{lot.cgroup}/{dyno_id}"
        self._is_v2 = is_v2()

    def pids(self) -> list[int]:
        """The processes in it; empty when it is gone."""
        return _numbers(self._directory("pids") / "cgroup.procs")

    def memory_bytes(self) -> int:
        """Resident plus swap, as R14 counts: what programs hold, not the page cache. 0 when it is gone."""
        memory = self._directory("memory")
        stat = _table(memory / "memory.stat")
        if self._is_v2:
            return stat.get("anon", 0) + stat.get("shmem", 0) + sum(_numbers(memory / "memory.swap.current"))
        return stat.get("total_rss", 0) + stat.get("total_shmem", 0) + stat.get("total_swap", 0)

    def is_out_of_memory(self) -> bool:
        """Whether the kernel killed a process in it for want of memory."""
        memory = self._directory("memory")
        return _table(memory / ("memory.events" if self._is_v2 else "memory.oom_control")).get("oom_kill", 0) > 0

    def out_of_memory_events(self) -> int | None:
        """An eventfd that becomes readable when memory ran out. None on v2, where the kernel kills the whole group itself."""
        if self._is_v2:
            return None
        memory = self._directory("memory")
        try:
            with open(memory / "memory.oom_control") as control:
                events = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                (memory / "cgroup.event_control").write_text(f"{events} {control.fileno()}")
                return events
        except OSError:
            return None

    def kill(self, deadline_s: float) -> bool:
        """Kills everything in it, also what is forked meanwhile. Gives whether it is empty within `deadline_s`."""
        until = time.monotonic() + deadline_s
        while pids := self.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def _directory(self, controller: str) -> Path:
        return Path(f"{_ROOT}{self.path}") if self._is_v2 else Path(f"{_ROOT}/{controller}{self.path}")


def adopt_shim(lot: Lot, pid: int) -> None:
    """Moves a conmon out of the agent's own group, so that stopping the agent's service stops no dyno. Best effort.

    All conmons together get a bounded part of one processor: a dyno that writes more than they take waits on its full pipe, and neither
    the router, nor its neighbours, nor who reads the lines has to keep up with it; decisions/0091, decisions/0108.
    """
    for hierarchy in (_ROOT, _ROOT / "systemd", _ROOT / "unified", _ROOT / "cpu"):
        if not (hierarchy / "cgroup.procs").exists():
            continue
        group = hierarchy / lot.shims_cgroup
        with contextlib.suppress(OSError):
            group.mkdir(parents=True, exist_ok=True)
            (group / "cgroup.procs").write_text(str(pid))
    _bound_shims(lot)


def _bound_shims(lot: Lot) -> None:
    """Best effort: a kernel may be made without CFS_BANDWIDTH."""
    if is_v2():
        bounds = {"cgroup.subtree_control": "+cpu", f"{lot.shims_cgroup}/cpu.max": f"{_SHIMS_QUOTA_US} {_SHIMS_PERIOD_US}"}
    else:
        group = f"cpu/{lot.shims_cgroup}"
        bounds = {f"{group}/cpu.cfs_period_us": str(_SHIMS_PERIOD_US), f"{group}/cpu.cfs_quota_us": str(_SHIMS_QUOTA_US)}
    for file, value in bounds.items():
        with contextlib.suppress(OSError):
            (_ROOT / file).write_text(value)


def end_shims(lot: Lot) -> None:
    """Kills the conmons that are left of a lot. Their dynos must have ended."""
    for hierarchy in (_ROOT, _ROOT / "systemd", _ROOT / "unified"):
        for group in (hierarchy / lot.shims_cgroup, hierarchy / lot.cgroup / _SHIMS_BEFORE):
            for pid in _numbers(group / "cgroup.procs"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def remove_group(path: str) -> None:
    """Removes an empty group and those below it from all hierarchies.

    A killed process leaves its groups after all else, one hierarchy after another: that is waited for. Blocks.
    """
    until = time.monotonic() + _ENDING_S
    for hierarchy in [_ROOT, *sorted(_ROOT.iterdir())]:
        top = Path(f"{hierarchy}{path}")
        while not _is_gone(top) and time.monotonic() < until:
            time.sleep(0.01)


def _is_gone(top: Path) -> bool:
    if not (top / "cgroup.procs").exists():
        return True
    for group, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(group)
    return not top.exists()


def _numbers(path: Path) -> list[int]:
    try:
        return [int(line) for line in path.read_text().split()]
    except (OSError, ValueError):
        return []


def _table(path: Path) -> dict[str, int]:
    try:
        rows = (line.split() for line in path.read_text().splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    except OSError:
        return {}


@contextlib.contextmanager
def ready_to_move(is_moved: Callable[[], object] = lambda: False) -> Iterator[None]:
    """Inside, as long as `is_moved` is false, the kernel is kept ready to move processes from group to group.

    The first move after a pause waits until every processor has passed a quiet moment (8 to 14 ms here), moves right behind it do not wait.
    So moves that change nothing are made until then: of this process to where it is. Source: Linux, kernel/cgroup/cgroup.c
    (`cgroup_threadgroup_rwsem`), kernel/rcu/sync.c.
    """
    is_over = threading.Event()
    threading.Thread(target=_stay, args=(is_over, is_moved), name="cgroup:stay", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _stay(is_over: threading.Event, is_moved: Callable[[], object]) -> None:
    with contextlib.suppress(OSError, StopIteration), open(next(_own_groups()) / "cgroup.procs", "wb", buffering=0) as group:
        while not is_over.is_set() and not is_moved():
            with contextlib.suppress(OSError):
                group.write(b"0")
            is_over.wait(_STAY_S)


def _own_groups() -> Iterator[Path]:
    """Where this process is in each hierarchy; the unified one first. Source: cgroups(7), /proc/[pid]/cgroup."""
    unified = _ROOT if is_v2() else _ROOT / "unified"
    for line in reversed(Path("/proc/self/cgroup").read_text().splitlines()):
        _, controllers, path = line.split(":", 2)
        group = Path(f"{_ROOT / controllers.removeprefix('name=') if controllers else unified}{path}")
        if (group / "cgroup.procs").exists():
            yield group


def confine(path: str, pid: int | None, *, memory_bytes: int, cpu_shares: int, pids: int) -> None:
    """Sets the limits of a group, made when it is not there, and puts a process into it. Swap is not given beyond memory."""
    if is_v2():
        weight = 1 + (cpu_shares - 2) * 9999 // 262142  # as runc converts them
        limits = {"memory.max": memory_bytes, "memory.swap.max": 0, "cpu.weight": weight, "pids.max": pids}
        group = Path(f"{_ROOT}{path}")
        group.mkdir(parents=True, exist_ok=True)
        for parent in (_ROOT, group.parent):
            with contextlib.suppress(OSError):
                (parent / "cgroup.subtree_control").write_text("+memory +cpu +pids")
        _confine_in(group, pid, limits)
        return
    for controller, of_it in {
        "memory": {"memory.limit_in_bytes": memory_bytes},
        "cpu": {"cpu.shares": cpu_shares},
        "pids": {"pids.max": pids},
        "systemd": {},
        "unified": {},
    }.items():
        if (_ROOT / controller / "cgroup.procs").exists():
            _confine_in(Path(f"{_ROOT}/{controller}{path}"), pid, of_it)


def _confine_in(group: Path, pid: int | None, limits: Mapping[str, int]) -> None:
    group.mkdir(parents=True, exist_ok=True)
    for name, value in limits.items():
        with contextlib.suppress(FileNotFoundError):  # a kernel that does not count swap
            (group / name).write_text(str(value))
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
