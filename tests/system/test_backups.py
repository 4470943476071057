"""Backups on a whole platform: captured, scheduled, restored; kill -9 of senryud, agent and server in the middle of each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually
from .test_add_ons import _api

pytestmark = pytest.mark.postgres
_PSQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), Path("/usr/bin/psql"))
# An index that takes a while to be built, so that a restore can be met in the middle.
_FILL = """
CREATE TABLE pictures (id serial PRIMARY KEY, name text);
INSERT INTO pictures (name) SELECT md5(n::text) FROM generate_series(1, 3000) n;
CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN n; END $$;
CREATE TABLE slow (n int);
INSERT INTO slow SELECT generate_series(1, 40);
CREATE INDEX ON slow (slowly(n));
"""
_SUM = "SELECT count(*) || md5(string_agg(name, ',' ORDER BY id)) FROM pictures"


def _psql(copy: Copy, database: str, statement: str, *, check: bool = True) -> str:
    """As the administrator of the server."""
    command = [str(_PSQL), "-h", str(copy.home / "data/postgres/socket"), "-U", "senryu_admin", "-v", "ON_ERROR_STOP=1", "-Atqc", statement]
    done = subprocess.run([*command, database], capture_output=True, text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def _locked(copy: Copy, database: str) -> Iterator[None]:
    """A table is locked for the length of the block, so that pg_dump waits."""
    command = [str(_PSQL), "-h", str(copy.home / "data/postgres/socket"), "-U", "senryu_admin", "-Atq", database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None and session.stdout is not None
        session.stdin.write("BEGIN; LOCK TABLE pictures; SELECT 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline().strip() == "locked"
        try:
            yield
        finally:
            session.kill()


def _transfers(app: App) -> list[Any]:
    return list(_api(app, "GET", f"/client/v11/apps/{app.name}/transfers"))


def _said(app: App, num: int) -> str:
    found = _api(app, "GET", f"/client/v11/apps/{app.name}/transfers/{num}?verbose=true")
    return "\n".join(line["message"] for line in found["logs"])


def _kill(copy: Copy, victim: str) -> None:
    if victim == "postgres":
        copy.kill_postgres()
    else:
        copy.kill(victim)
    copy.await_health()


def _answers(copy: Copy) -> bool:
    return _psql(copy, "postgres", "SELECT 1", check=False) == "1"


def _sessions(copy: Copy, states: str = "") -> str:
    return _psql(copy, "postgres", f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'senryu backups' {states}", check=False)


def _ended(app: App, num: int) -> Any:
    def look() -> Any:
        found = next(each for each in _transfers(app) if each["num"] == num)
        return found if found["finished_at"] else None

    return eventually(look, f"the end of transfer {num}", 90)


def test_backups_survive_the_death_of_each_part(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    made = _api(app, "POST", f"/apps/{app.name}/addons", {"plan": "heroku-postgresql:standard-0"})
    database = json.loads(app.senryu("config", "--json").stdout)["DATABASE_URL"].rpartition("/")[2]
    role = json.loads(app.senryu("config", "--json").stdout)["DATABASE_URL"].split("//")[1].split(":")[0]
    _psql(platform, database, f"SET ROLE {role}; {_FILL}")
    before = _psql(platform, database, _SUM)
    assert "b001: Completed" in app.senryu("pg:backups:capture").stdout
    assert "Completed" in app.senryu("pg:backups").stdout
    assert "dumping contents of table" in app.senryu("pg:backups:info", "b001").stdout
    app.senryu("pg:backups:download", "--output", "my.dump")
    assert (app.owner.home / "my.dump").read_bytes()[:5] == b"PGDMP"

    number = 1
    for victim in ("senryud", "agent", "postgres"):
        with _locked(platform, database):
            begun = _api(app, "POST", f"/client/v11/databases/{made['id']}/backups")
            number += 1
            assert begun["num"] == number
            eventually(lambda: _sessions(platform, "AND wait_event_type = 'Lock'") == "1", "pg_dump to wait")
            _kill(platform, victim)
            failed = _ended(app, number)
        assert failed["succeeded"] is False, (victim, failed)
        eventually(lambda: _sessions(platform) == "0", "no program left")

    backup = next(each for each in _transfers(app) if each["num"] == 1)
    for victim in ("senryud", "agent", "postgres"):
        eventually(lambda: _answers(platform), "the server")
        begun = _api(app, "POST", f"/client/v11/databases/{made['id']}/restores", {"backup_url": backup["to_url"]})
        number += 1
        eventually(lambda: _sessions(platform, "AND query LIKE 'CREATE INDEX%'") == "1", "the index of the restore")
        _kill(platform, victim)
        failed = _ended(app, number)
        assert failed["succeeded"] is False, (victim, failed, _said(app, number))
        eventually(lambda: _answers(platform), "the server")
        assert _psql(platform, database, _SUM) == before
        assert _psql(platform, "postgres", "SELECT count(*) FROM pg_database WHERE datname ~ '^[xy][0-9a-f]{16}$'") == "0"

    _psql(platform, database, "DELETE FROM pictures; DROP TABLE slow")
    assert "Completed" in app.senryu("pg:backups:restore", "b001", "--confirm", app.name).stdout
    assert _psql(platform, database, _SUM) == before
    assert _psql(platform, database, "SELECT count(*) FROM slow") == "40"
    app.senryu("pg:backups:delete", "b001", "--confirm", app.name)
    assert list((platform.home / "blobs/backups").iterdir()) == []


def test_a_schedule_outlives_the_platform_and_a_backup_its_database(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    _api(app, "POST", f"/apps/{app.name}/addons", {"plan": "heroku-postgresql"})
    url = json.loads(app.senryu("config", "--json").stdout)["DATABASE_URL"]
    database, role = url.rpartition("/")[2], url.split("//")[1].split(":")[0]
    _psql(
        platform, database, f"SET ROLE {role}; CREATE TABLE pictures AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 99) n"
    )
    before = _psql(platform, database, _SUM)
    app.senryu("pg:backups:schedule", "DATABASE", "--at", "02:00 Europe/Berlin")
    platform.kill("senryud")
    platform.await_health()
    assert "daily at 2:00 Europe/Berlin" in app.senryu("pg:backups:schedules").stdout
    app.senryu("pg:backups:capture")
    app.senryu("addons:destroy", "DATABASE", "--confirm", app.name)
    assert _psql(platform, "postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{database}'") == "0"
    _api(app, "POST", f"/apps/{app.name}/addons", {"plan": "heroku-postgresql"})
    app.senryu("pg:backups:restore", "--confirm", app.name)
    fresh = json.loads(app.senryu("config", "--json").stdout)["DATABASE_URL"].rpartition("/")[2]
    assert (fresh != database, _psql(platform, fresh, _SUM)) == (True, before)


def _url(app: App, name: str) -> str:
    return str(json.loads(app.senryu("config", "--json").stdout).get(name, ""))


def test_a_database_as_it_was_and_as_it_is(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    app.senryu("addons:create", "heroku-postgresql:standard-0")
    url = _url(app, "DATABASE_URL")
    database, role = url.rpartition("/")[2], url.split("//")[1].split(":")[0]
    _psql(
        platform, database, f"SET ROLE {role}; CREATE TABLE pictures AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 500) n"
    )
    before = _psql(platform, database, _SUM)
    eventually(lambda: (platform.home / "data/postgres/full-backup").exists(), "the first base backup", 120)
    moment = _psql(platform, database, "SELECT pg_sleep(1.1); SELECT clock_timestamp()").strip()
    _psql(platform, database, "DELETE FROM pictures WHERE id % 2 = 0")

    refused = app.senryu("addons:create", "heroku-postgresql:essential-0", "--", "--fork=DATABASE", check=False)
    assert "standard plan" in refused.stderr
    app.senryu("addons:create", "heroku-postgresql:standard-0", "--as", "THEN", "--", "--rollback=DATABASE", f"--to={moment}")
    app.senryu("addons:create", "heroku-postgresql:standard-0", "--as", "NOW", "--", "--fork=DATABASE")
    then, now = (_url(app, name).rpartition("/")[2] for name in ("THEN_URL", "NOW_URL"))
    for number in (1, 2):
        assert _ended(app, number)["succeeded"], _said(app, number)
    assert _psql(platform, then, _SUM) == before
    assert _psql(platform, now, _SUM) == _psql(platform, database, _SUM) != before
    eventually(lambda: not list((platform.home / "data/postgres").glob("past-*")), "its end")

    # One that cannot be filled, or is cut off in the middle, is taken away.
    begun = _api(app, "POST", f"/apps/{app.name}/addons", {
        "plan": "heroku-postgresql:standard-0", "attachment": {"name": "CUT"}, "config": {"rollback": "DATABASE", "to": moment},
    })  # fmt: skip
    eventually(lambda: list((platform.home / "data/postgres").glob("past-*")), "the server of a moment")
    platform.kill("senryud")
    platform.await_health()
    assert _ended(app, 3)["succeeded"] is False
    eventually(lambda: begun["id"] not in [each["id"] for each in _api(app, "GET", f"/apps/{app.name}/addons")], "its end")
    assert _url(app, "CUT_URL") == ""
    eventually(lambda: not list((platform.home / "data/postgres").glob("past-*")), "its end")
