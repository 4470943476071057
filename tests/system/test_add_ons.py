"""A database as an add-on, on the platform's own PostgreSQL: made, reached from the app's dynos, kept through kills, taken away."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually

pytestmark = pytest.mark.postgres
_PSQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), Path("/usr/bin/psql"))


def _api(app: App, method: str, path: str, body: Any = None) -> Any:
    token = app.owner.senryu("auth:token").stdout.strip()
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.heroku+json; version=3", "Content-Type": "application/json"}
    request = urllib.request.Request(app.copy.url + path, json.dumps(body).encode() if body is not None else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{method} {path}: {refused.code} {refused.read()!r}\n{app.copy.own_log()}") from None


def _asked(app: App, statement: str) -> str:
    """What psql in a one-off dyno says."""
    return app.senryu("run", "--exit-code", "--", f'{_PSQL} "$DATABASE_URL" -v ON_ERROR_STOP=1 -Atc "{statement}"').stdout.strip()


def test_an_app_has_a_database_of_its_own_that_outlives_kills(platform: Copy, make_app: NewApp) -> None:
    app, other = make_app(), make_app()
    app.push()
    other.push()
    assert "as DATABASE_URL" in app.senryu("addons:create", "heroku-postgresql:essential-0").stdout
    [made] = json.loads(app.senryu("addons", "--json").stdout)
    assert made["config_vars"] == ["DATABASE_URL"]
    _asked(app, "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite')")
    assert _asked(app, "SELECT name FROM pictures") == "kite"

    # Another app has neither the config var nor, with the URL stolen, more than its tenant would; the catalogue's V1.
    theirs = _api(other, "POST", f"/apps/{other.name}/addons", {"plan": "heroku-postgresql"})
    url = json.loads(app.senryu("config", "--json").stdout)["DATABASE_URL"]
    foreign = f"{json.loads(other.senryu('config', '--json').stdout)['DATABASE_URL'].rpartition('/')[0]}/{url.rpartition('/')[2]}"
    refused = other.senryu("run", "--exit-code", "--", f"{_PSQL} '{foreign}' -Atc 'SELECT 1'", check=False)
    assert refused.returncode != 0
    assert "pg_hba" in refused.stdout + refused.stderr

    # What was committed is there after kill -9 of the server's main process, which is started again by itself.
    platform.kill_postgres()
    eventually(lambda: _answers(app), "the database's answer")
    platform.kill("agent")
    platform.kill("senryud")
    platform.await_health()
    assert _asked(app, "SELECT name FROM pictures") == "kite"

    app.senryu("addons:destroy", "DATABASE", "--confirm", app.name)
    assert json.loads(app.senryu("addons", "--json").stdout) == []
    assert "DATABASE_URL" not in json.loads(app.senryu("config", "--json").stdout)
    assert not app.senryu("run", "--exit-code", "--", f"{_PSQL} '{url}' -Atc 'SELECT 1'", check=False).stdout.strip().endswith("1")
    _api(other, "DELETE", f"/apps/{other.name}/addons/{theirs['id']}", {"force": False})


def _answers(app: App) -> bool:
    return app.senryu("run", "--exit-code", "--", f'{_PSQL} "$DATABASE_URL" -Atc "SELECT 1"', check=False).stdout.strip() == "1"
