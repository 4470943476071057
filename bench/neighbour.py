"""An app's response times alone, and beside an app that takes all it can of one thing. `python bench/neighbour.py [seconds] [hog…]`.

Requests come at a steady rate whether or not earlier ones were answered; a time counts from when its request was due. Whoever asks has
real-time priority, as if it were another machine. What the hogs do is in HOGS, each a process type of one app of one dyno.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator

from stand import App, eventually, new_app, person_on, print_table, running_platform

RATE = 100
WARM_UP_S = 2.0
TIMES_QUIET = 3.0
_SPIN = """\
import os
for _ in range(63): os.fork() or os.execvp('sh', ['sh', '-c', 'while :; do :; done'])
while True: pass
"""
_FORK = """\
import os
while True:
    try: os.fork()
    except OSError: pass
"""
_EAT = """\
import os
while True:
    child = os.fork()
    if not child:
        held = []
        while len(held) < 900: held.append(b'x' * (1 << 20))
        os._exit(0)
    os.waitpid(child, 0)
"""
_FILL = """\
import os
while True:
    file = os.open('/tmp/full', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        while True: os.write(file, os.urandom(65536)); os.fsync(file)
    except OSError: pass
    os.close(file)
"""
_LINES = """\
import os
block = b'a line of an ordinary length, as apps write them to their log\\n' * 500
while True: os.write(1, block)
"""
_LONG = """\
import os
block = b'x' * 65536
while True: os.write(1, block)
"""
HOGS = {
    "cpu": ("64 threads that count", _SPIN),
    "forks": ("a fork bomb", _FORK),
    "memory": ("memory up to the limit, again and again", _EAT),
    "disk": ("a full disk, and fsync after every 64 kB", _FILL),
    "lines": ("log lines as fast as it can", _LINES),
    "long": ("one endless log line", _LONG),
}


async def _ask(port: int, host: str, due: float, took: list[float]) -> None:
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
        took.append((time.perf_counter() - due) * 1000 if b" 200 " in answer[:20] else float("inf"))
    except (OSError, TimeoutError):
        took.append(float("inf"))


async def _ask_all(port: int, host: str, seconds: float, took: list[float]) -> None:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(seconds * RATE)):
            due = began + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(_ask(port, host, due, took))


def _asker(port: int, host: str, seconds: float, answer: multiprocessing.Queue[list[float]]) -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    warm: list[float] = []
    took: list[float] = []
    asyncio.run(_ask_all(port, host, WARM_UP_S, warm))
    asyncio.run(_ask_all(port, host, seconds, took))
    answer.put(took)


def measured(app: App, seconds: float) -> list[float]:
    """Milliseconds of each request, sorted; infinity for one that failed."""
    answer: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_asker, args=(app.copy.port, f"{app.name}.localhost", seconds, answer))
    process.start()
    took = answer.get(timeout=seconds + 60)
    process.join(30)
    return sorted(took)


def percentile(took: list[float], part: float) -> float:
    return took[min(len(took) - 1, int(len(took) * part))]


@contextlib.contextmanager
def hogging(hog: App, name: str) -> Iterator[None]:
    """The hog's process type runs."""
    hog.senryu("ps:scale", f"{name}=1")
    try:
        eventually(lambda: hog.states().get(f"{name}.1") in ("up", "crashed"), f"{name} to begin")
        time.sleep(1)  # until it has taken what it takes
        yield
    finally:
        hog.senryu("ps:scale", f"{name}=0")
        eventually(lambda: not hog.states(), "the hog to be gone", within_s=60)
        time.sleep(1)


def row(name: str, took: list[float], quiet: float) -> list[str]:
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    failed = sum(time == float("inf") for time in took)
    verdict = "" if p99 <= TIMES_QUIET * quiet else "**over 3**"
    return [name, f"{p50:.1f}", f"{p99:.1f}", f"{took[-1]:.0f}", f"{p99 / quiet:.1f} {verdict}".strip(), str(failed)]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    wanted = sys.argv[2:] or list(HOGS)
    files = {"Procfile": "".join(f"{name}: python3 {name}.py\n" for name in HOGS)}
    files |= {f"{name}.py": script for name, (_, script) in HOGS.items()}
    with running_platform() as copy, person_on(copy) as person, new_app(person) as app, new_app(person, files) as hog:
        app.push()
        hog.push()
        before = measured(app, seconds)
        rows = []
        for name in wanted:
            with hogging(hog, name):
                rows.append((HOGS[name][0], measured(app, seconds)))
        after = measured(app, seconds)
        quiet = statistics.median([percentile(before, 0.99), percentile(after, 0.99)])
        table = [row("alone, before", before, quiet), *(row(name, took, quiet) for name, took in rows), row("alone, after", after, quiet)]
    head = ("beside it", "p50 ms", "p99 ms", "most ms", "p99 / quiet p99", "failed")
    print_table(f"One app at {RATE} requests/s beside a hog, {seconds:.0f} s each", head, table)


if __name__ == "__main__":
    main()
