"""What becomes of dynos that misbehave, on a whole platform: one app with a process type for each way, all at once.

The reliability catalogue's group D, with C2 and C3, and where each is proved:

| id | what | proved by |
|---|---|---|
| C1 | R14, R15 | test_slow.py; tests/engines/test_limits.py |
| C2 | fork bomb | here (on a platform, ended by ps:stop); tests/engines/test_limits.py |
| C3 | 10,000 orphans | here; tests/engines/test_limits.py |
| D1 | SIGTERM ignored: R12, 137 | test_slow.py |
| D2 | daemons, other sessions | here; tests/engines/test_limits.py |
| D3 | stopped itself | here |
| D4 | late, wrong port, none; 127.0.0.1, IPv6 only; binds then closes | test_slow.py; tests/contracts; H21 in test_router_codes.py |
| D5 | exit 0, 1, signal, no such command, no program, no process type | here; test_formation.py |
| D6 | crash loop and back-off | here (the times); tests/core/test_formation.py, tests/stories/test_lifecycle.py |
| D7 | another dyno's port | tests/engines/test_isolation.py |
| D8 | cycling | tests/core/test_formation.py, tests/stories/test_lifecycle.py |
| D9 | eco sleep | test_sleep.py; tests/stories/test_sleep.py; tests/routers/test_idle.py |
| D10 | terminals | test_one_off.py; tests/compat |
| D11 | release phase | tests/stories/test_release_phase.py; test_releases.py |
| D12 | scaled up, down and up again fast | here |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from .person import App, Person, new_app
from .rig import Copy, eventually

ORPHANS = r"""
import os, time
for _ in range(10_000):
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
deadline = time.monotonic() + 30
while (left := sum(name.isdigit() for name in os.listdir("/proc"))) > 8 and time.monotonic() < deadline:
    time.sleep(0.1)
print("orphans left", left, flush=True)
time.sleep(10_000)
"""
DAEMON = r"""
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, lambda *_: print("the daemon was told", flush=True) or os._exit(0))
        print("a daemon", flush=True)
        while True:
            time.sleep(1)
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), os._exit(0)))
while True:
    time.sleep(1)
"""
DYING = r"""
import os, signal, sys, time
def die(*_):
    for number in range(500):
        print("last words", number, flush=True)
    sys.stdout.write("the very last, without an end")
    sys.stdout.flush()
    os._exit(7)
signal.signal(signal.SIGTERM, die)
print("living", flush=True)
while True:
    time.sleep(1)
"""
BOMB = r"""
import os, time
made = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(10_000)
        made += 1
    except BlockingIOError:
        break
print("processes", made, flush=True)
time.sleep(10_000)
"""
WEB = r"""
import http.server, os
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"here\n")
    log_message = lambda *_: None
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answers).serve_forever()
"""
# The command, and the status it ends with.
ENDINGS = {
    "zero": ("true", 0),
    "one": ("sh -c 'exit 1'", 1),
    "killed": ("sh -c 'kill -KILL $$'", 137),
    "segfault": ("sh -c 'kill -SEGV $$'", 139),
    "missing": ("no-such-program", 127),
    "nothing": ("./nothing", 126),
}
OTHERS = {
    "web": "python web.py",
    "orphans": "python orphans.py",
    "daemon": "python daemon.py",
    "dying": "python dying.py",
    "bomb": "python bomb.py",
    "stopped": "sh -c 'echo stopping; kill -STOP $$; sleep 10000'",
}
FILES = {
    "web.py": WEB, "orphans.py": ORPHANS, "daemon.py": DAEMON, "dying.py": DYING, "bomb.py": BOMB, "requirements.txt": "",
    "nothing": "\x7fELF and nothing else\n",
    "Procfile": "".join(f"{name}: {command}\n" for name, command in ({n: c for n, (c, _) in ENDINGS.items()} | OTHERS).items()),
}  # fmt: skip


@pytest.fixture(scope="module")
def crowd(operator: Person) -> Iterator[App]:
    """All of them, scaled to one."""
    with new_app(operator, FILES) as app:
        (app.folder / "nothing").chmod(0o755)
        app.deploy()
        app.senryu("ps:scale", *(f"{name}=1" for name in (*ENDINGS, *OTHERS)))
        yield app


@pytest.mark.parametrize("name", ENDINGS)
def test_any_end_of_a_dyno_is_a_crash_that_is_told_with_its_status_and_restarted(crowd: App, name: str) -> None:
    """Exit 0 too. Source: Dev Center, dynos#dyno-crash-restart-policy."""
    status = ENDINGS[name][1]

    def has_crashed_thrice() -> bool:
        return crowd.log("-n", "1500", "-p", name).count("to crashed") >= 3

    eventually(has_crashed_thrice, f"the third crash of {name}")
    log = crowd.log("-n", "1500", "-p", name)
    told = [text for text in log.splitlines() if "heroku[" in text]
    crashes = [place for place, text in enumerate(told) if text.endswith("to crashed")]
    assert all(told[place - 1].endswith(f"Process exited with status {status}") for place in crashes), log
    assert crowd.states()["web.1"] == "up"


def test_a_crash_loop_is_slowed_down_and_disturbs_nobody(crowd: App) -> None:
    """At once after the first crash, then 10 s, 20 s. Source: decisions/0012."""
    eventually(lambda: crowd.log("-n", "1500", "-p", "one").count("Starting process") >= 4, "the fourth start")
    starts = re.findall(r"^\S+T(\d+):(\d+):([\d.]+)\S* heroku\[one\.1\]: Starting process", crowd.log("-n", "1500", "-p", "one"), re.M)
    moments = [int(hours) * 3600 + int(minutes) * 60 + float(seconds) for hours, minutes, seconds in starts]
    waits = [(after - before) % 86_400 for before, after in pairwise(moments)]
    assert waits[1] >= 10 and waits[2] >= 20
    assert crowd.visit().text == "here\n"


def test_ten_thousand_orphans_are_reaped(crowd: App) -> None:
    log = crowd.logged("orphans left", "-n", "1500", "-p", "orphans", within_s=120)
    assert int(re.findall(r"orphans left (\d+)", log)[0]) <= 8


def test_a_fork_bomb_stops_at_the_limit_and_ends_when_told(crowd: App, platform: Copy) -> None:
    log = crowd.logged("app[bomb.1]: processes", "-n", "1500", "-p", "bomb", within_s=90)
    assert 200 < int(re.findall(r"processes (\d+)", log)[0]) <= 256
    before = crowd.dynos()["bomb.1"]["id"]
    crowd.senryu("ps:stop", "bomb.1")
    eventually(lambda: crowd.dynos().get("bomb.1", {}).get("id", before) != before, "another bomb.1")
    eventually(lambda: before[:8] not in " ".join(platform.traces()), f"the end of all that was {before}")
    crowd.senryu("ps:scale", "bomb=0")


def test_a_daemon_in_a_session_of_its_own_is_told_and_gone(crowd: App) -> None:
    crowd.logged("app[daemon.1]: a daemon", "-n", "1500", "-p", "daemon")
    crowd.senryu("ps:scale", "daemon=0")
    eventually(lambda: "daemon.1" not in crowd.states(), "the end of daemon.1")
    assert "app[daemon.1]: the daemon was told" in crowd.log("-n", "1500", "-p", "daemon")


def test_what_a_dyno_says_while_it_dies_is_in_the_log_before_its_end(crowd: App) -> None:
    crowd.logged("app[dying.1]: living", "-n", "1500", "-p", "dying")
    crowd.senryu("ps:scale", "dying=0")
    eventually(lambda: "dying.1" not in crowd.states(), "the end of dying.1")
    log = crowd.log("-n", "1500", "-p", "dying")
    assert [int(number) for number in re.findall(r"last words (\d+)", log)] == list(range(500))
    assert log.index("the very last, without an end") < log.index("Process exited with status 7")


def test_a_dyno_that_stopped_itself_is_killed_when_it_is_to_go(crowd: App) -> None:
    crowd.logged("app[stopped.1]: stopping", "-n", "1500", "-p", "stopped")
    crowd.senryu("ps:scale", "stopped=0")
    eventually(lambda: "stopped.1" not in crowd.states(), "the end of stopped.1", within_s=60)
    log = crowd.log("-n", "1500", "-p", "stopped")
    assert "Error R12 (Exit timeout)" in log and "Process exited with status 137" in log


def test_dynos_scaled_up_and_down_fast_end_as_was_said_last(crowd: App) -> None:
    for quantity in (5, 0, 3, 1, 6, 0, 2):
        crowd.senryu("ps:scale", f"web={quantity}")
    eventually(lambda: {n: s for n, s in crowd.states().items() if n.startswith("web")} == {"web.1": "up", "web.2": "up"}, "two web dynos")
    assert crowd.visit().text == "here\n"
    assert crowd.senryu("ps:scale", "nobody=1", check=False).returncode != 0
