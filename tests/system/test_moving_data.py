"""Data in and out by `pg:backups:*` and `pg:copy`, as a user types them; what of it is refused, and with which words."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually
from .test_backups import _locked, _psql, _sessions

pytestmark = pytest.mark.postgres


def _database(app: App, name: str = "DATABASE_URL") -> str:
    return str(json.loads(app.senryu("config", "--json").stdout)[name]).rpartition("/")[2]


def _names(app: App, database: str = "DATABASE") -> list[str]:
    return app.senryu("pg:psql", database, "-c", "COPY (SELECT name FROM pictures ORDER BY 1) TO STDOUT").stdout.split()


def _refused(app: App, *words: str) -> str:
    done = app.senryu(*words, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_backups_are_handed_out_canceled_unscheduled_and_copied(platform: Copy, make_app: NewApp, tmp_path: Path) -> None:
    app = make_app()
    app.senryu("addons:create", "heroku-postgresql")
    app.senryu("pg:psql", "-c", "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite')")
    assert "No backups" in _refused(app, "pg:backups:url")
    app.senryu("pg:backups:capture")

    # The address is good for whoever has it, also as what is restored.
    url = app.senryu("pg:backups:url", "b001").stdout.strip()
    subprocess.run(["curl", "-sSfk", "-o", str(tmp_path / "my.dump"), url], check=True, timeout=60)
    assert (tmp_path / "my.dump").read_bytes()[:5] == b"PGDMP"
    app.senryu("pg:psql", "-c", "DELETE FROM pictures")
    app.senryu("pg:backups:restore", url, "DATABASE_URL", "--confirm", app.name)
    assert _names(app) == ["kite"]
    for private in (f"http://127.0.0.1:{platform.port}/my.dump", "http://10.0.0.1/my.dump", "http://[::1]/my.dump"):
        assert "private network" in _refused(app, "pg:backups:restore", private, "--confirm", app.name)
    assert "r003" not in app.senryu("pg:backups").stdout

    # One under way is ended, and leaves nothing.
    assert "Nothing is under way" in _refused(app, "pg:backups:cancel")
    with _locked(platform, _database(app)):
        capturing = subprocess.Popen(
            ["senryu", "pg:backups:capture", "-a", app.name],
            executable=str(Path(__file__).parents[2] / "bin/senryu"),
            env=app.owner.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: _sessions(platform, "AND wait_event_type = 'Lock'") == "1", "pg_dump to wait")
        assert "Canceling b003... done" in app.senryu("pg:backups:cancel").stderr
        _, said = capturing.communicate(timeout=60)
    assert capturing.returncode == 1 and "It was canceled." in said
    assert "Canceled" in app.senryu("pg:backups:info", "b003").stdout
    assert "has finished" in _refused(app, "pg:backups:cancel", "b003")
    eventually(lambda: _sessions(platform) == "0", "no program left")
    assert "did not" in _refused(app, "pg:backups:restore", "b003", "--confirm", app.name)
    assert "b004: Completed" in app.senryu("pg:backups:capture").stdout
    assert len(list((platform.home / "blobs/backups").iterdir())) == 2

    # Schedules come and go by the names that config vars have.
    app.senryu("pg:backups:schedule", "--at", "02:00 America/Los_Angeles")
    assert "DATABASE_URL" in _refused(app, "pg:backups:unschedule", "OTHER")
    assert "Unscheduling daily backups of DATABASE_URL... done" in app.senryu("pg:backups:unschedule", "DATABASE_URL").stderr
    assert "No backup schedules" in app.senryu("pg:backups:schedules").stdout

    _copied(platform, app, make_app())
    for num in ("b001", "b004"):
        app.senryu("pg:backups:delete", num, "--confirm", app.name)


def _copied(platform: Copy, app: App, other: App) -> None:
    """Between databases of one app, of two, and not onto itself."""
    for each, name in ((app, "SECOND"), (other, "DATABASE")):
        each.senryu("addons:create", "heroku-postgresql", "--as", name)
        _psql(platform, _database(each, f"{name}_URL"), "CREATE TABLE leftover (n int)")
    assert "--confirm" in _refused(app, "pg:copy", "DATABASE", "SECOND")
    assert "Completed" in app.senryu("pg:copy", "DATABASE_URL", "SECOND_URL", "--confirm", app.name).stdout
    assert _names(app, "SECOND") == ["kite"]
    assert _psql(platform, _database(app, "SECOND_URL"), "SELECT to_regclass('leftover') IS NULL") == "t"
    app.senryu("pg:copy", f"{app.name}::DATABASE", "DATABASE", "-a", other.name, "--confirm", other.name)
    assert _names(other) == ["kite"]
    assert "onto itself" in _refused(app, "pg:copy", "DATABASE", "DATABASE", "--confirm", app.name)
