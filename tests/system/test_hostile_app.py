"""An app that takes all it can of everything at once: it fails alone. How fast its neighbour answers meanwhile: bench/neighbour.py.

Source: reliability catalogue, groups C and I; issue 3, "Hostile app". What it cannot see or call is in test_escape.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .person import App, Person, new_app
from .rig import eventually
from .traces import lot_of

FORKS = """
import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(1)
"""
MEMORY = """
held = []
while True: held.append(b"x" * (8 << 20))
"""
DISK = """
import errno, os, time
def tried(what, work):
    try: work()
    except OSError as error: print(f"disk| {what} | {errno.errorcode[error.errno]}", flush=True)
    else: print(f"disk| {what} | no end", flush=True)
def filled(place):
    file = os.open(f"{place}/full", os.O_CREAT | os.O_WRONLY)
    block = bytes(1 << 20)
    for _ in range(3000): os.write(file, block)
def sparse(place):
    file = os.open(f"{place}/sparse", os.O_CREAT | os.O_WRONLY)
    os.truncate(file, 1 << 40)
    os.posix_fallocate(file, 0, 3 << 30)
def many(place):
    os.mkdir(f"{place}/many")
    for number in range(1_000_000): os.close(os.open(f"{place}/many/{number}", os.O_CREAT))
for place in ("/tmp", "/app", "/dev/shm", "/var/tmp"):
    tried(f"fill {place}", lambda: filled(place))
    tried(f"sparse {place}", lambda: sparse(place))
for name in ("/tmp/full", "/tmp/sparse", "/app/full", "/app/sparse"):
    if os.path.exists(name): os.remove(name)
tried("files /tmp", lambda: many("/tmp"))
print("disk| done | yes", flush=True)
time.sleep(1 << 20)  # longer than any test: a second flood would be taken for a part of the first
"""
LINES = """
import os, time
began = time.monotonic()
for start in range(0, 150_000, 100):
    os.write(1, b"".join(b"line %d of a flood of lines\\n" % number for number in range(start, start + 100)))
print(f"lines| done | {150_000 / (time.monotonic() - began):.0f} a second", flush=True)
time.sleep(1 << 20)  # longer than any test: a second flood would be taken for a part of the first
"""
LONG = """
import os, time
for _ in range(1600): os.write(1, b"x" * 65536)
os.write(1, b"\\nlong| done | yes\\n")
time.sleep(1 << 20)  # longer than any test: a second flood would be taken for a part of the first
"""
DONE = {
    "memory": "Error R15 (Memory quota vastly exceeded)",
    "lines": "lines| done",
    "long": "long| done",
    "disk": "disk| done",
}
# Three apps: the history of an app is short, and a flood of lines would wash the others' words away.
HOGS = ({"forks": FORKS, "memory": MEMORY, "disk": DISK}, {"lines": LINES}, {"long": LONG})
NEIGHBOUR = """
import http.server, itertools, os
numbers = itertools.count(1)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        number = next(numbers)
        print(f"neighbour answers {number}", flush=True)
        self.send_response(200); self.end_headers(); self.wfile.write(b"%d" % number)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"""


@pytest.fixture(scope="module")
def neighbour(operator: Person) -> Iterator[App]:
    with new_app(operator, {"Procfile": "web: python3 app.py\n", "app.py": NEIGHBOUR}) as made:
        made.push()
        yield made


@pytest.fixture(scope="module")
def hogs(operator: Person, neighbour: App) -> Iterator[dict[str, App]]:
    """The hostile apps by process type. All begin at once."""
    with ExitStack() as stack:
        found: dict[str, App] = {}
        for scripts in HOGS:
            files = {f"{name}.py": script for name, script in scripts.items()}
            procfile = "".join(f"{name}: python3 {name}.py\n" for name in scripts)
            made = stack.enter_context(new_app(operator, {"Procfile": procfile, **files}))
            made.push()
            found |= dict.fromkeys(scripts, made)
        for scripts in HOGS:
            found[next(iter(scripts))].senryu("ps:scale", *(f"{name}=1" for name in scripts))
        yield found


def free_bytes(path: Path) -> int:
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def tasks_of(app: App, dyno: str) -> int:
    """Processes and threads, as the machine counts them."""
    group = f"senryu-{lot_of(app.copy.home)}/{app.dynos()[dyno]['id']}/pids.current"
    counts = [Path("/sys/fs/cgroup", part, group) for part in ("pids", "")]
    return next((int(path.read_text()) for path in counts if path.exists()), 0)


def test_an_app_that_takes_everything_fails_alone(hogs: dict[str, App], neighbour: App) -> None:
    hog = hogs["forks"]
    before, answers = free_bytes(hog.copy.home), []

    def answered() -> bool:
        answers.append(neighbour.visit().status)
        return True

    eventually(lambda: answered() and tasks_of(hog, "forks.1") >= 200, "the fork bomb to go off")
    assert tasks_of(hog, "forks.1") <= 256
    for name, said in DONE.items():
        eventually(lambda name=name, said=said: answered() and said in last_words(hogs[name], name), said, within_s=100)  # type: ignore[misc]
    assert sorted(set(answers)) == [200]
    outcomes = dict(re.findall(r"disk\| (.*?) \| (\w+)", hog.log("-n", "100", "-d", "disk.1")))
    assert {what: how for what, how in outcomes.items() if how not in ("ENOSPC", "EFBIG")} == {"done": "yes"}, outcomes
    assert len(outcomes) == 10
    assert before - free_bytes(hog.copy.home) < 3 << 30
    eventually(lambda: hog.states()["memory.1"] == "crashed", "the next crash: it is started again, later and later")


def last_words(app: App, name: str) -> str:
    return app.log("-n", "20", "-d", f"{name}.1")


def test_a_flood_of_lines_reaches_the_log_without_holding_the_app_up(hogs: dict[str, App]) -> None:
    log = hogs["lines"].logged("lines| done", "-n", "1500", "-d", "lines.1", within_s=120)
    numbers = [int(number) for number in re.findall(r"\]: line (\d+) of", log)]
    assert numbers == sorted(set(numbers))  # in order, none twice
    assert numbers[-1] == 149_999
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert missing == 0 or re.search(r"Error L1[0-3]", log), f"{missing} lines are missing and nobody says so"


def test_a_line_of_a_hundred_megabytes_is_cut_into_lines_of_ten_thousand_bytes(hogs: dict[str, App]) -> None:
    log = hogs["long"].logged("long| done", "-n", "1500", "-d", "long.1", within_s=120)
    pieces = [len(piece) for piece in re.findall(r"\]: (x+)$", log, re.MULTILINE)]
    assert len(pieces) > 100
    assert set(pieces[:-1]) == {10_000}


def test_the_neighbours_own_log_has_every_line(neighbour: App, hogs: dict[str, App]) -> None:
    last = int(neighbour.visit().text)
    log = neighbour.logged(f"neighbour answers {last}", "-n", "1500", "--source", "app")
    numbers = [int(number) for number in re.findall(r"neighbour answers (\d+)", log)]
    assert numbers == list(range(numbers[0], last + 1))
    assert neighbour.states() == {"web.1": "up"}


def test_a_hog_can_be_ended_and_leaves_nothing(hogs: dict[str, App], neighbour: App) -> None:
    apps = set(hogs.values())
    ids = [dyno["id"] for app in apps for dyno in json.loads(app.senryu("ps", "--json").stdout)]
    for name, app in hogs.items():
        app.senryu("ps:scale", f"{name}=0")
    eventually(lambda: not any(app.states() for app in apps), "every dyno to be gone", within_s=90)
    eventually(lambda: not any(trace for trace in neighbour.copy.traces() if any(i in trace for i in ids)), "their traces to be gone")
    assert neighbour.visit().status == 200
