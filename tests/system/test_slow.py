"""What takes Heroku's own time to happen: it all runs at once, and each test looks at its part.

Source: Dev Center, error-codes (R10, R12, R14, R15).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from .person import App, Person, new_app
from .rig import eventually

DEAF = {
    "app.py": "import time\nprint('binding nothing', flush=True)\ntime.sleep(1000)\n",
    "requirements.txt": "",
    "Procfile": "web: python app.py\n",
}
# What binds late, and what binds the port it likes best.
LATE = {
    "app.py": "import http.server, os, time\nprint('thinking', flush=True)\ntime.sleep(50)\n"
    "http.server.ThreadingHTTPServer(('', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()\n",
    "requirements.txt": "",
    "Procfile": "web: python app.py\n",
}
STRAY = {**LATE, "Procfile": "web: python -m http.server 4567\n"}
# No app.py: the Python buildpack would make a web process of it.
STUBBORN = {
    "program.py": "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print('no', flush=True))\nprint('here', flush=True)\n"
    "while True: time.sleep(1)\n",
    "requirements.txt": "",
    "Procfile": "clock: python program.py\n",
}
# 700 MB are over the quota of 512 and below twice of it.
HUNGRY = {
    "program.py": "import sys, time\nx = bytearray(int(sys.argv[1]) << 20)\nx[::4096] = b'x' * len(x[::4096])\nprint('full', flush=True)\n"
    "time.sleep(1000)\n",
    "requirements.txt": "",
    "Procfile": "hungry: python program.py 700\ngreedy: python program.py 1300\n",
}


@dataclass
class Slow:
    """The apps, and the push of the deaf one under way."""

    deaf: App
    deaf_push: subprocess.Popen[str]
    late: App
    late_push: subprocess.Popen[str]
    stray: App
    stubborn: App
    hungry: App


@pytest.fixture(scope="module")
def slow(operator: Person) -> Iterator[Slow]:
    """Begins everything."""
    with ExitStack() as stack:
        every = ("python-web", LATE, STRAY, STUBBORN, HUNGRY)
        deaf, late, stray, stubborn, hungry = (stack.enter_context(new_app(operator, files)) for files in every)
        deaf.push()
        deaf.commit(DEAF)
        pushes = [app.pushing() for app in (deaf, late, stray)]
        for pushing in pushes:
            stack.callback(pushing.wait, 150)
        for app in (stubborn, hungry):
            app.push()
        stubborn.senryu("ps:scale", "clock=1")
        hungry.senryu("ps:scale", "hungry=1", "greedy=1")
        stubborn.logged("app[clock.1]: here")
        stubborn.senryu("ps:scale", "clock=0")
        yield Slow(deaf, pushes[0], late, pushes[1], stray, stubborn, hungry)


def test_a_dyno_far_over_its_memory_is_killed_and_told_as_r15(slow: Slow) -> None:
    log = slow.hungry.logged("Error R15 (Memory quota vastly exceeded)")
    assert "heroku[greedy.1]: Error R15" in log
    eventually(lambda: "State changed from" in (log := slow.hungry.log("-d", "greedy.1")) and "to crashed" in log, "the crash")


def test_a_dyno_over_its_memory_runs_on_and_is_told_as_r14(slow: Slow) -> None:
    log = slow.hungry.logged("heroku[hungry.1]: Error R14 (Memory quota exceeded)")
    assert "heroku[hungry.1]: Process running mem=7" in log
    assert slow.hungry.states()["hungry.1"] == "up"


def test_a_dyno_that_ignores_sigterm_is_killed_after_30_seconds_and_told_as_r12(slow: Slow) -> None:
    log = slow.stubborn.logged("heroku[clock.1]: Error R12 (Exit timeout)", within_s=90)
    assert "app[clock.1]: no" in log
    assert "heroku[clock.1]: Stopping process with SIGKILL" in log
    eventually(lambda: not slow.stubborn.states(), "its end")
    assert "Process exited with status 137" in slow.stubborn.log()


def test_a_release_that_binds_no_port_in_a_minute_is_rejected_as_r10_and_the_one_before_it_serves(slow: Slow) -> None:
    said, _ = slow.deaf_push.communicate(timeout=150)
    assert slow.deaf_push.returncode != 0
    assert "did not bind to $PORT in time" in said
    assert "Error R10 (Boot timeout)" in slow.deaf.log()
    assert slow.deaf.visit().text == "Hello from Senryu, release v2\n"
    assert slow.deaf.states() == {"web.1": "up"}


def test_a_dyno_that_binds_its_port_after_50_seconds_is_up_and_serves(slow: Slow) -> None:
    said, _ = slow.late_push.communicate(timeout=150)
    assert slow.late_push.returncode == 0 and "deployed to Senryu" in said, said
    assert slow.late.visit().status == 200
    log = slow.late.log()
    assert "app[web.1]: thinking" in log and "heroku[web.1]: State changed from starting to up" in log and "R10" not in log


def test_a_dyno_that_binds_another_port_is_told_which_with_its_r10(slow: Slow) -> None:
    log = slow.stray.logged("Error R10 (Boot timeout)", within_s=120)
    slow.stray.logged("heroku[web.1]: The process listens on port 4567 instead of $PORT", within_s=10)
    log = slow.stray.logged("heroku[web.1]: State changed from starting to crashed")
    assert log.index("Error R10") < log.index("instead of $PORT") < log.index("Stopping process with SIGKILL")
