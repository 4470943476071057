"""What an idle platform takes with 1 app, with that app's many dynos, and with 100 apps. `python bench/idle_size.py [dynos] [seconds]`.

RSS counts what several processes share once for each (as `ps` does); PSS counts it once for all; private is what ending the process frees.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from stand import CHECKOUT, Copy, eventually, new_app, person_on, print_table, running_platform

KINDS = ("Rss", "Pss", "Private")
SETTLE_S = 75  # boot times are over by then
APPS = 100
OWN = ("senryud", "agent", "router")


def children(pid: int) -> list[int]:
    """A process and all below it."""
    below = [int(child) for task in Path(f"/proc/{pid}/task").glob("*") for child in _read(f"{task}/children").split()]
    return [pid, *(deeper for child in below for deeper in children(child))]


def _read(path: str) -> str:
    """A file of a process; nothing of one that has ended (both parts run short-lived programs)."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def memory_kib(pids: list[int]) -> dict[str, int]:
    """Sums over processes."""
    total = dict.fromkeys(KINDS, 0)
    for pid in pids:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]:
            name, amount = line.split(":")
            kind = "Private" if name.startswith("Private_") and "Hugetlb" not in name else name
            if kind in total:
                total[kind] += int(amount.split()[0])
    return total


def processor_s(pids: list[int]) -> float:
    """Seconds of processor time used by processes so far."""
    total = 0
    for pid in pids:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12]) if fields else 0
    return total / os.sysconf("SC_CLK_TCK")


def parts(copy: Copy) -> dict[str, list[int]]:
    """The pids of each part; conmon is a child of the agent or of nobody, HAProxy nobody's."""
    found = {service: children(copy.pid(service)) for service in OWN}
    shims, routing = [], []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"conmon") and f"{copy.home}/agent/runc".encode() in words:
            shims.append(int(process.name))
        if words[0].endswith(b"haproxy") and f"{copy.home}/router/haproxy.cfg".encode() in words:
            routing.append(int(process.name))
    inside = {below for pid in shims for below in children(pid)}
    found["agent"] = [pid for pid in found["agent"] if pid not in inside]
    found["router"] = sorted({*found["router"], *routing})
    return {**found, "conmon": shims}


def measured(copy: Copy, what: str, seconds: float, settle_s: float = SETTLE_S) -> list[tuple[object, ...]]:
    """Rows for one state of the platform."""
    time.sleep(settle_s)
    there = parts(copy)
    before = {name: processor_s(pids) for name, pids in there.items()}
    time.sleep(seconds)
    rows: list[tuple[object, ...]] = []
    sums = dict.fromkeys(KINDS, 0.0)
    percent_in_all = 0.0
    for name, pids in there.items():
        memory = memory_kib(pids)
        percent = (processor_s(pids) - before[name]) / seconds * 100
        rows.append((what, name, len(pids), *(f"{memory[kind] / 1024:.1f}" for kind in KINDS), f"{percent:.2f} %"))
        percent_in_all += percent
        if name in OWN:
            for kind in KINDS:
                sums[kind] += memory[kind] / 1024
    rows.append((what, "**senryud + agent + router**", "", *(f"**{sums[kind]:.1f}**" for kind in KINDS), f"{percent_in_all:.2f} %"))
    return rows


def main(dynos: int, seconds: float) -> None:
    rows = []
    files = {path.name: path.read_text() for path in (CHECKOUT / "examples/python-web").iterdir() if path.is_file()}
    files["Procfile"] += "worker: sleep 1000000\n"
    with running_platform() as copy, person_on(copy) as person, new_app(person, files) as app:
        app.push()
        rows += measured(copy, "1 app, 1 dyno", seconds)
        app.senryu("ps:scale", f"worker={dynos - 1}")
        eventually(lambda: list(app.states().values()).count("up") == dynos, "all dynos", within_s=180)
        rows += measured(copy, f"1 app, {dynos} dynos", seconds)
        for number in range(APPS - 1):
            person.senryu("create", f"bench-{number}-{os.getpid()}", "--no-remote")
        rows += measured(copy, f"{APPS} apps, {dynos} dynos", seconds, 10)
    head = ("with", "part", "processes", "RSS MiB", "PSS MiB", "private MiB", "CPU")
    print_table(f"Idle for {seconds:.0f} s (target 120 MB RSS, 2 % CPU, 6 MB a dyno)", head, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30, float(sys.argv[2]) if len(sys.argv) > 2 else 30.0)
