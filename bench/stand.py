"""What the benchmarks share: a platform of their own, medians, tables, and a word about the machine they ran on.

The platform is the tests' (tests/system/rig.py): this checkout, in a private home, on free ports, gone afterwards.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import platform as machine
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a bench cut off takes its platform with it
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / "src")]

from senryu.agent import ending  # noqa: E402
from system.person import App, Person, new_app  # noqa: E402
from system.rig import Copy, eventually  # noqa: E402

__all__ = [
    "CHECKOUT", "App", "Copy", "Person", "eventually", "median_ms", "new_app", "person_on", "print_table", "run_to_end",
    "running_platform", "timed_ms",
]  # fmt: skip


@contextlib.contextmanager
def running_platform() -> Iterator[Copy]:
    """A platform for the length of the block."""
    copy = Copy()
    try:
        copy.install(as_released=True)
        copy.start()
        yield copy
    finally:
        left = copy.remove()
        if left:
            print(f"left behind: {left}", file=sys.stderr)


@contextlib.contextmanager
def person_on(copy: Copy) -> Iterator[Person]:
    """Its first account."""
    with tempfile.TemporaryDirectory() as folder:
        person = Person(copy, Path(folder) / "home", "bench@example.com")
        person.register()
        yield person


def timed_ms(work: Callable[[], object]) -> float:
    """How many milliseconds one call takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def run_to_end(*command: str, within_s: float = 60.0) -> None:
    """Runs a command that must succeed, and returns as it ends; subprocess.run with a timeout looks again after 31, 63, 113 ms."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as program:
        assert ending.status(program, within_s) == 0, command


def median_ms(samples: Sequence[float]) -> str:
    """`12.3 (9.8-20.1)`: median, least and most."""
    return f"{statistics.median(samples):.1f} ({min(samples):.1f}-{max(samples):.1f})"


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A Markdown table, below when and on what it was measured."""
    load = " ".join(f"{part:.1f}" for part in os.getloadavg())
    when = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    print(f"\n### {title}\n\n{when}; {os.cpu_count()} CPUs, Linux {machine.release()}, load {load}\n")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    sys.stdout.flush()
