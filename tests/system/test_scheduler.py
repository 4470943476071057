"""The scheduler on a real platform: runs are dynos with logs, an overlong one gives way, and kill -9 while runs start changes nothing."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually

_KILLS = 2
_JOBS = 5


def _jobs(app: App) -> list[dict[str, Any]]:
    return list(json.loads(app.senryu("scheduler", "--json").stdout))


def _make_due(copy: Copy, at: datetime, *commands: str) -> None:
    """What an hour of waiting would bring: the jobs are due since `at`."""
    with sqlite3.connect(copy.home / "db/senryu.db", timeout=30) as db:
        marks = ", ".join("?" for _ in commands)
        due = at.strftime("%Y-%m-%d %H:%M:%S.000000")
        changed = db.execute(f"UPDATE scheduled_jobs SET due_at = ? WHERE command IN ({marks})", (due, *commands)).rowcount
    db.close()
    assert changed == len(commands)


def _running(app: App) -> list[str]:
    return [name for name in app.dynos() if name.startswith("scheduler.")]


def _add(app: App, now: datetime, command: str) -> None:
    app.senryu("scheduler:add", command, "--every", "hour", "--at", f":{now.minute:02}")


def _this_minute() -> datetime:
    """One of which more is left than adding jobs takes."""
    if time.time() % 60 > 50:
        time.sleep(60.2 - time.time() % 60)
    return datetime.now(UTC).replace(second=0, microsecond=0)


def test_scheduled_jobs_run_once_each_though_the_platform_is_killed_while_they_start(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    app.push()
    made = app.senryu("addons:create", "scheduler").stdout
    assert "Created scheduler-" in made
    now = _this_minute()
    commands = [f"echo ran-{platform.port}-{number}" for number in range(_JOBS)]
    for command in commands:
        _add(app, now, command)
    for kill in range(1, _KILLS + 1):
        _make_due(platform, now, *commands)
        eventually(lambda: _claimed(platform) > 0, "the first claim", 30)
        time.sleep(random.random() * 0.8)
        platform.kill("senryud")
        platform.await_health()
        _ran(app, commands, kill)
        eventually(lambda: not _running(app), "the end of the runs")
    assert all(re.match(r"run by scheduler\.\d{4}\Z", job["last_outcome"]) for job in _jobs(app))

    # One that lasts until it is due again is stopped, and another takes its place; `ps` and the log show them by name.
    _add(app, now, "sleep 1000")
    _make_due(platform, now, "sleep 1000")
    [first] = eventually(lambda: _running(app), "a run")
    assert first in app.senryu("ps").stdout
    _make_due(platform, now, "sleep 1000")
    [second] = eventually(lambda: [name for name in _running(app) if name != first] if first not in _running(app) else [], "the next run")
    log = app.logged(f"while {first} still runs it; it is stopped first", "--dyno", "scheduler")
    assert f"heroku[{first}]: State changed from up to complete" in log and f"heroku[{second}]" in log
    app.senryu("scheduler:remove", next(job["id"] for job in _jobs(app) if job["command"] == "sleep 1000"))
    app.senryu("ps:stop", second)

    # And with the add-on everything goes.
    _make_due(platform, now, *commands)
    app.senryu("addons:destroy", "SCHEDULER", "--confirm", app.name)
    assert _jobs(app) == []


def _claimed(copy: Copy) -> int:
    """How many jobs are claimed for this round: they are due again only in an hour."""
    with sqlite3.connect(copy.home / "db/senryu.db", timeout=30) as db:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        [[count]] = db.execute("SELECT count(*) FROM scheduled_jobs WHERE due_at > ?", (now,)).fetchall()
    db.close()
    return int(count)


def _counts(app: App, commands: list[str]) -> list[int]:
    lines = app.log("--num", "1500", "--source", "app").splitlines()
    return [sum(1 for line in lines if line.endswith(f": {command.removeprefix('echo ')}")) for command in commands]


def _ran(app: App, commands: list[str], times: int) -> None:
    """Waits until each command has run so often, and asserts that none did so more often."""
    eventually(lambda: min(_counts(app, commands)) >= times, f"{times} runs of each job", 60)
    assert _counts(app, commands) == [times] * len(commands)
