"""A cheap app on the real platform: it sleeps with its workers, a held request wakes it, used-up hours are H82."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID, uuid4

from .conftest import NewApp
from .person import App, texts_in_order
from .rig import Answer, eventually

VISITORS = 100
WORKER = "import time\nwhile True:\n    time.sleep(0.2)\n"


def _napping(make_app: NewApp, size: str) -> App:
    """An app of a size of its own that sleeps after three seconds, with one hour a month."""
    app = make_app()
    app.deploy({"Procfile": "web: python app.py\nworker: python work.py\n", "work.py": WORKER})
    app.owner.senryu("sizes:set", size, "memory=256m", "sleep=3", "hours=1", "exclusive=yes", "price=0")
    app.senryu("ps:type", size)
    app.senryu("ps:scale", "worker=1")
    eventually(lambda: app.states() == {"web.1": "up", "worker.1": "up"}, "both dynos")
    return app


def _asleep(app: App) -> bool:
    return app.states() == {"web.1": "idle", "worker.1": "idle"}


def _is_idle_on_disk(app: App) -> bool:
    """In what the router starts from. Killed before it is written, with senryud, visitors are told H21 until senryud is back."""
    values = [line.partition(" ")[2] for line in (app.copy.home / "router/apps.map").read_text().splitlines()]
    return any(value.startswith("idle:") and value.endswith(f":{app.name}") for value in values)


def test_an_app_sleeps_with_its_worker_and_a_held_request_wakes_it(make_app: NewApp) -> None:
    app = _napping(make_app, f"nap-{uuid4().hex[:8]}")
    assert app.visit().status == 200
    eventually(lambda: _asleep(app), "sleep")
    answers: list[Answer] = []
    visitors = [threading.Thread(target=lambda: answers.append(app.visit())) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(90)
    assert [answer.status for answer in answers] == [200] * VISITORS, answers
    eventually(lambda: app.states() == {"web.1": "up", "worker.1": "up"}, "both dynos again")
    log = app.log()
    assert log.count("heroku[web.1]: Unidling") == 1
    for dyno in ("web.1", "worker.1"):
        lines = (
            "Idling", "State changed from up to down", "Process exited with status", "Unidling", "State changed from down to starting",
            "Starting process with command", "State changed from starting to up",
        )  # fmt: skip
        assert texts_in_order(log, [f"heroku[{dyno}]: {line}" for line in lines]), log


def test_an_app_asleep_stays_so_over_a_restart_of_the_platform_and_is_woken_after_it(make_app: NewApp) -> None:
    app = _napping(make_app, f"nap-{uuid4().hex[:8]}")
    eventually(lambda: _asleep(app), "sleep")
    eventually(lambda: _is_idle_on_disk(app), "its sleep in the router's files")
    app.copy.kill("router")
    app.copy.await_health()
    app.copy.kill("senryud")  # the request waits for it
    answer = app.visit()
    assert answer.status == 200, app.log()
    eventually(lambda: app.states()["worker.1"] == "up", "the worker too")


def test_used_up_hours_are_h82_for_visitors_and_a_refusal_for_one_offs(make_app: NewApp) -> None:
    size = f"nap-{uuid4().hex[:8]}"
    app = _napping(make_app, size)
    _use_an_hour(app, size)
    eventually(lambda: _asleep(app), "the end of its hours")
    answer = app.visit()
    assert answer.status == 503 and "No dyno hours left" in answer.text
    app.logged('at=info code=H82 desc="Free dyno quota exhausted" method=GET path="/"')
    assert "heroku[web.1]: Idling because quota is exhausted" in app.log()
    refused = app.senryu("run", "true", check=False)
    assert refused.returncode != 0 and "hours of this month are used up" in refused.stderr
    app.owner.senryu("sizes:set", size, "hours=5", "verified-hours=5")
    eventually(lambda: app.visit().status == 200, "the app with more hours")


def _use_an_hour(app: App, size: str) -> None:
    """As if its dynos had run since the month began."""
    with closing(sqlite3.connect(app.copy.home / "db" / "senryu.db", timeout=30)) as db:
        [(owner,)] = db.execute("select owner_id from apps where name = ?", (app.name,)).fetchall()
        month = datetime.now(UTC).strftime("%Y-%m")
        row = (owner, month, UUID(app.id()).hex, "dyno", "web.1", size, 0, True, app.name, 3_700_000_000)
        db.execute("insert into usage_totals values (?,?,?,?,?,?,?,?,?,?)", row)
        db.commit()
