"""A database that follows another, on a whole platform: read from a dyno, kept through a kill, made its own, gone without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually
from .test_add_ons import _PSQL, _api

pytestmark = pytest.mark.postgres


def _asked(app: App, variable: str, statement: str, *, check: bool = True) -> str:
    command = f'{_PSQL} "${variable}" -v ON_ERROR_STOP=1 -Atqc "{statement}" 2>&1'
    return app.senryu("run", "--exit-code", "--", command, check=check).stdout.strip()


def _says(app: App, variable: str, statement: str, wanted: str) -> None:
    eventually(lambda: _asked(app, variable, statement, check=False) == wanted, f"{wanted} by {variable}", 60)


def test_a_follower_is_read_kept_unfollowed_and_gone(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    app.push()
    app.senryu("addons:create", "heroku-postgresql:standard-0")
    _asked(app, "DATABASE_URL", "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite')")
    assert not (platform.home / "data/postgres-standby").exists()
    app.senryu("addons:create", "heroku-postgresql:standard-0", "--as", "COPY", "--", "--follow", "DATABASE")
    app.senryu("pg:wait")
    _says(app, "COPY_URL", "SELECT count(*) FROM pictures", "1")
    _asked(app, "DATABASE_URL", "INSERT INTO pictures VALUES ('swan')")
    _says(app, "COPY_URL", "SELECT count(*) FROM pictures", "2")
    assert "read-only transaction" in _asked(app, "COPY_URL", "DELETE FROM pictures", check=False)
    follower = next(each for each in json.loads(app.senryu("addons", "--json").stdout) if each["config_vars"] == ["COPY_URL"])
    told = app.senryu("pg:info").stdout
    assert "Following" in told and "Behind By" in told and f"Followers: {follower['name']}" in " ".join(told.split())
    refused = app.senryu("pg:reset", "COPY", "--confirm", app.name, check=False)
    assert refused.returncode != 0 and "follows another database" in refused.stderr
    refused = app.senryu("addons:destroy", "DATABASE", "--confirm", app.name, check=False)
    assert refused.returncode != 0 and follower["name"] in refused.stderr

    # kill -9 of the copy, then of the agent as well.
    platform.kill_postgres("postgres-standby")
    platform.kill("agent")
    platform.await_health()
    _asked(app, "DATABASE_URL", "INSERT INTO pictures VALUES ('moth')")
    _says(app, "COPY_URL", "SELECT count(*) FROM pictures", "3")

    # Rotated, both have the new password.
    before = json.loads(app.senryu("config", "--json").stdout)
    leader = next(each for each in json.loads(app.senryu("addons", "--json").stdout) if "DATABASE_URL" in each["config_vars"])
    _api(app, "POST", f"/postgres/v0/databases/{leader['name']}/credentials_rotation", {})
    after = json.loads(app.senryu("config", "--json").stdout)
    assert before["COPY_URL"] != after["COPY_URL"]
    _says(app, "COPY_URL", "SELECT count(*) FROM pictures", "3")

    # Unfollowed, it is its own.
    app.senryu("pg:unfollow", "COPY", "--confirm", app.name)
    app.senryu("pg:wait", "COPY")
    own = json.loads(app.senryu("config", "--json").stdout)["COPY_URL"]
    assert own.split("@")[0] != after["COPY_URL"].split("@")[0]
    _asked(app, "COPY_URL", "DELETE FROM pictures WHERE name = 'kite'")
    assert _asked(app, "COPY_URL", "SELECT count(*) FROM pictures") == "2"
    assert _asked(app, "DATABASE_URL", "SELECT count(*) FROM pictures") == "3"

    # Another follower goes, and the copy of the server with it.
    app.senryu("addons:create", "heroku-postgresql:standard-0", "--as", "SECOND", "--", "--follow", "DATABASE")
    app.senryu("pg:wait")
    _says(app, "SECOND_URL", "SELECT count(*) FROM pictures", "3")
    last = platform.postmaster("postgres-standby")
    app.senryu("addons:destroy", "SECOND", "--confirm", app.name)
    eventually(lambda: not (platform.home / "data/postgres-standby").exists(), "no copy left", 90)
    assert not Path(f"/proc/{last}").exists() or b"standby" not in Path(f"/proc/{last}/cmdline").read_bytes()
    assert _asked(app, "DATABASE_URL", "SELECT count(*) FROM pg_replication_slots") == "0"
