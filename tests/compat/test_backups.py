"""Backups by the official client: captured, listed, downloaded, restored, scheduled, copied."""

from __future__ import annotations

import json

import pytest

from system.person import App

from .client import Heroku

pytestmark = pytest.mark.postgres


def test_backups_from_capture_to_copy(heroku: Heroku, app: App) -> None:
    heroku.run("addons:create", "heroku-postgresql:standard-0", "--name", "backed-db", says="DATABASE_URL")
    heroku.run("pg:backups", says="No backups")
    done = heroku.run("pg:backups:capture", "DATABASE", "--verbose", "--wait-interval", "3")
    assert "pg_dump: saving database definition" in done.stdout
    heroku.run("pg:backups", says="b001")
    heroku.run("pg:backups:info", "b001", says="Completed")
    assert heroku.run("pg:backups:url", "b001").stdout.startswith("https://")
    heroku.run("pg:backups:download", "b001", "--output", "official.dump")
    assert (app.folder / "official.dump").read_bytes()[:5] == b"PGDMP"
    heroku.run("pg:backups:restore", "b001", "DATABASE", "--confirm", app.name)
    heroku.run("pg:backups", says="r002")
    heroku.refused("pg:backups:restore", "b077", "--confirm", app.name, says="not found", status=1)
    heroku.run("pg:backups:schedule", "DATABASE", "--at", "02:00 CET", says="02:00 Europe/Paris")
    heroku.run("pg:backups:schedules", says="DATABASE_URL: daily at 2:00 Europe/Paris")
    heroku.run("pg:backups:unschedule", "DATABASE")
    heroku.run("pg:backups:schedules", says="No backup schedules found")
    heroku.run("addons:create", "heroku-postgresql:standard-0", "--name", "copied-db", "--as", "COPIED", says="COPIED_URL")
    heroku.run("pg:copy", "DATABASE", "COPIED", "--confirm", "COPIED", says="Copying... done")
    heroku.run("pg:backups", says="c003")
    heroku.refused("pg:backups:cancel", says="No active backups", status=2)
    heroku.run("pg:backups:delete", "b001", "--confirm", app.name)
    assert [each["num"] for each in heroku.ask(f"/client/v11/apps/{app.name}/transfers")] == [2, 3]
    for name in ("backed-db", "copied-db"):
        heroku.run("addons:destroy", name, "--confirm", app.name)
    assert "COPIED_URL" not in json.loads(heroku.run("config", "--json").stdout)
