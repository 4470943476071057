"""A real dyno that writes 50,000 lines a second: does the history have them all? And how late is `senryu logs --tail`?

`python bench/logs_flood.py [lines/s] [seconds]`. `bench/logs_intake.py` measures the same room by itself, without conmon and HTTP.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from uuid import UUID

from idle_size import parts, processor_s
from stand import CHECKOUT, App, Copy, eventually, new_app, person_on, print_table, running_platform

from senryu.core.log_line import LogFilter, LogLine
from senryu.logs.history import FileLogs
from system.person import PROGRAM

WRITER = """\
import os, sys, time
per_s, seconds = int(sys.argv[1]), float(sys.argv[2])
began, said, total = time.monotonic(), 0, int(per_s * seconds)
while said < total:
    due = min(total, int((time.monotonic() - began) * per_s))
    for start in range(said, due, 500):
        block = b"".join(b"%d request done in 12 ms, 3 queries, status=200 bytes=5120\\n" % n for n in range(start, min(due, start + 500)))
        while block:
            block = block[os.write(1, block):]
    said = due
    time.sleep(0.002)
print("finished after %.2f s" % (time.monotonic() - began), flush=True)
time.sleep(1000000)
"""
CLOCK = """\
import sys, time
began = time.monotonic()
for number in range(10000):
    while number > (time.monotonic() - began) * 1000:
        time.sleep(0.0005)
    print("%.6f" % time.time(), flush=True)
time.sleep(1000000)
"""


def flood(copy: Copy, app: App, per_s: int, seconds: float) -> list[tuple[object, ...]]:
    """What a dyno wrote and what is there of it."""
    before = {name: processor_s(pids) for name, pids in parts(copy).items()}
    app.senryu("ps:scale", "flood=1")
    app.logged("finished after", "-n", "5", "--dyno", "flood.1", within_s=seconds * 20)
    used = {name: processor_s(pids) - before.get(name, 0) for name, pids in parts(copy).items()}
    lines = asyncio.run(kept(copy, app))
    numbers = [int(line.text.split()[0]) for line in lines if line.process == "flood.1" and line.text[:1].isdigit()]
    took = next(line.text.split()[2] for line in lines if "finished after" in line.text)
    [end] = [line.seq for line in lines if "finished after" in line.text]
    others = sum(1 for line in lines if line.process != "flood.1")
    total = int(per_s * seconds)
    holes = sum(1 for one, two in pairwise(numbers) if two != one + 1)
    return [
        ("lines written", f"{total:,} in {took} s: {total / float(took):,.0f}/s"),
        ("lines numbered by the history up to the last", f"{end:,} (of other processes: some {others})"),
        ("lines kept (newest 8 MiB), and holes among them", f"{len(numbers):,}, {holes}"),
        ("last line there", "yes" if numbers and numbers[-1] == total - 1 else "no"),
        ("processor: senryud, agent, conmon", ", ".join(f"{used.get(name, 0):.1f} s" for name in ("senryud", "agent", "conmon"))),
    ]


async def kept(copy: Copy, app: App) -> list[LogLine]:
    """The app's whole history on disk, read from a copy of it."""
    wanted = app.owner.senryu("apps:info", "--app", app.name, "--json").stdout
    app_id = next(folder for folder in (copy.home / "logs").iterdir() if len(folder.name) == 36 and folder.name in wanted)
    async with FileLogs(copy.home / "logs") as logs:
        return await logs.history(UUID(app_id.name), LogFilter(), 10**9)


def tail_delay(app: App) -> list[tuple[object, ...]]:
    """How late the lines of a dyno that says the time come out of `senryu logs --tail`."""
    command = [PROGRAM, "logs", "--tail", "-a", app.name, "-n", "1", "--dyno", "clock.1"]
    tail = subprocess.Popen(command, env=app.owner.environment, stdout=subprocess.PIPE, text=True, cwd=app.folder)
    app.senryu("ps:scale", "flood=0", "clock=1")
    delays_s: list[float] = []
    assert tail.stdout is not None
    for line in tail.stdout:
        words = line.split()
        if len(words) == 3 and words[2].replace(".", "").isdigit():
            delays_s.append(time.time() - float(words[2]))
            if len(delays_s) >= 9000:
                break
    tail.kill()
    tail.wait(10)
    delays_s.sort()
    p50, p99 = statistics.median(delays_s) * 1000, delays_s[int(len(delays_s) * 0.99)] * 1000
    return [
        ("`senryu logs --tail` behind the dyno, 1,000 lines/s", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {delays_s[-1] * 1000:.0f} ms")
    ]


def main(per_s: int, seconds: float) -> None:
    files = {path.name: path.read_text() for path in (CHECKOUT / "examples/python-web").iterdir() if path.is_file()}
    files |= {"flood.py": WRITER, "clock.py": CLOCK}
    files["Procfile"] += f"flood: python flood.py {per_s} {seconds}\nclock: python clock.py\n"
    with running_platform() as copy, person_on(copy) as person, new_app(person, files) as app:
        app.push()
        eventually(lambda: app.visit().status == 200, "the app")
        rows = flood(copy, app, per_s, seconds)
        rows += tail_delay(app)
    print_table(f"Logs of a real dyno at {per_s:,} lines/s for {seconds:.0f} s", ("what", "seen"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000, float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
