"""One log for an app: its lines, the platform's, the router's. Source: Dev Center, logging."""

from __future__ import annotations

import re
import subprocess

from .conftest import NewApp
from .person import PROGRAM, App
from .rig import eventually

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 (app|heroku)\[[a-z]+(\.\d+)?\]: ")
TALKS = """\
import os, sys, time
for number in range(2000):
    print(f"line {number}", flush=number % 100 == 0)
print("x" * 25000)
sys.stdout.buffer.write(b"bad \\xff\\x00 \\x1b[2J bytes\\n")
print("the end", flush=True)
time.sleep(1000)
"""


def test_every_line_has_herokus_form_and_says_what_happened_in_order(app: App) -> None:
    app.visit("/somewhere")
    log = app.logged('path="/somewhere"')
    lines = log.splitlines()
    assert all(LINE.match(line) for line in lines), [line for line in lines if not LINE.match(line)]
    story = (
        f"app[api]: Initial release by user {app.owner.email}",
        "app[api]: Build started",
        "app[api]: Build succeeded",
        "app[api]: Deploy ",
        "app[api]: Release v2 created",
        "heroku[web.1]: Starting process with command `python app.py`",
        "heroku[web.1]: State changed from starting to up",
        'heroku[router]: at=info method=GET path="/somewhere" host=',
    )
    places = [next(number for number, line in enumerate(lines) if part in line) for part in story]
    assert places == sorted(places)
    assert re.search(r"dyno=web\.1 connect=\d+ms service=\d+ms status=404 bytes=\d+", log)


def test_sources_dynos_and_counts_choose_lines(app: App) -> None:
    app.visit()
    app.logged("heroku[router]")
    app.logged("app[web.1]: listening on port")
    assert {line.split(" ")[1].split("[")[0] for line in app.log("-n", "100", "-s", "heroku").splitlines()} == {"heroku"}
    assert {line.split(" ")[1].split("[")[0] for line in app.log("-n", "100", "-s", "app").splitlines()} == {"app"}
    assert {line.split(" ")[1] for line in app.log("-n", "100", "-d", "web.1").splitlines()} == {"app[web.1]:", "heroku[web.1]:"}
    assert {line.split(" ")[1] for line in app.log("-n", "100", "-d", "router").splitlines()} == {"heroku[router]:"}
    assert {line.split(" ")[1] for line in app.log("-n", "100", "-p", "web").splitlines()} == {"app[web.1]:", "heroku[web.1]:"}
    assert len(app.log("-n", "2").splitlines()) == 2


def test_a_tail_shows_lines_as_they_come(app: App) -> None:
    command = [PROGRAM, "logs", "-a", app.name, "--tail", "-d", "router"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=app.owner.environment, cwd=app.folder, text=True) as tail:
        try:
            assert tail.stdout is not None
            eventually(lambda: app.visit("/first").status == 404)
            assert 'path="/first"' in tail.stdout.readline()
            app.visit("/second")
            assert 'path="/second"' in tail.stdout.readline()
        finally:
            tail.kill()


def test_1500_lines_are_kept_and_long_or_hostile_ones_made_harmless(make_app: NewApp) -> None:
    app = make_app({"talk.py": TALKS, "requirements.txt": "", "Procfile": "talk: python talk.py\n"})
    app.push()
    app.senryu("ps:scale", "talk=1")
    app.logged("app[talk.1]: the end")
    lines = app.log("-n", "1500", "-d", "talk.1").splitlines()
    assert len(lines) == 1500
    numbers = [int(found[1]) for line in lines if (found := re.search(r"app\[talk\.1\]: line (\d+)$", line))]
    assert numbers == list(range(numbers[0], 2000))
    assert sum(line.count("x") for line in lines if "xxxx" in line) == 25000
    assert max(len(line) for line in lines) < 10_100
    hostile = next(line for line in lines if "bytes" in line)
    assert hostile.isprintable()
