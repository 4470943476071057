"""The scheduler by the official client, which makes it, sees its runs and takes it away; jobs are edited by ours."""

from __future__ import annotations

import json
import sqlite3

from system.person import App
from system.rig import Copy, eventually

from .client import Heroku


def _make_due(copy: Copy) -> None:
    """What ten minutes of waiting would bring."""
    with sqlite3.connect(copy.home / "db/senryu.db", timeout=30) as db:
        db.execute("UPDATE scheduled_jobs SET due_at = strftime('%Y-%m-%d %H:%M:00.000000', 'now')")
    db.close()


def test_a_scheduler_is_made_its_runs_are_seen_and_it_goes(heroku: Heroku, app: App, platform: Copy) -> None:
    made = heroku.run("addons:create", "scheduler", says="free")
    assert "senryu scheduler:add" in made.stdout + made.stderr
    heroku.run("addons", says="scheduler (scheduler-")
    heroku.run("addons:info", "scheduler", says="SCHEDULER")
    heroku.refused("addons:create", "scheduler:standard", says="can have one scheduler only", status=2)
    app.senryu("scheduler:add", "echo due; sleep 600", "--every", "hour", "--at", ":00")
    _make_due(platform)
    name = eventually(lambda: next((name for name in app.dynos() if name.startswith("scheduler.")), ""), "a run")
    heroku.run("ps", says=f"{name}: ")
    eventually(lambda: f"app[{name}]: due" in heroku.run("logs", "--num", "100", "--source", "app").stdout, "its output")
    heroku.run("ps:stop", name)
    heroku.run("addons:destroy", "scheduler", "--confirm", app.name, says="Destroying")
    assert json.loads(app.senryu("scheduler", "--json").stdout) == []
