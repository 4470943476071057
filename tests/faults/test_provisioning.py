"""kill -9 of senryud while add-ons are made and destroyed: none stays half made, no database is left over, what was told is there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from system.person import App
from system.rig import Copy, eventually

from . import apps
from .conftest import ROUNDS, NewApp
from .interrupted import killed_during

pytestmark = pytest.mark.postgres
_PSQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), Path("/usr/bin/psql"))
_FINISHED_S = 60.0


def _databases(copy: Copy) -> set[str]:
    """Those of tenants, as the server says."""
    statement = "SELECT datname FROM pg_database WHERE datname ~ '^d[0-9a-f]{16}$'"
    command = [str(_PSQL), "-h", str(copy.home / "data/postgres/socket"), "-U", "senryu_admin", "-d", "postgres", "-Atqc", statement]
    return set(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split())


def _addons(app: App) -> list[dict[str, Any]]:
    return list(json.loads(app.senryu("addons", "--json").stdout))


def _config(app: App) -> dict[str, str]:
    return dict(json.loads(app.senryu("config", "--json").stdout))


def _is_calm(app: App) -> bool:
    return all(add_on["state"] == "provisioned" for add_on in _addons(app))


def _named_by(app: App) -> set[str]:
    """The databases that the app's config vars lead to."""
    return {url.rpartition("/")[2] for key, url in _config(app).items() if url.startswith("postgres://")}


def _agrees(app: App) -> bool:
    """Whether config vars, the newest release and the environment of the running dyno are one."""
    seen = app.visit()
    if seen.status != 200:
        return False
    environment = json.loads(seen.text)
    urls = {key: value for key, value in environment.items() if key.endswith("_URL")}
    newest = max(release["version"] for release in app.releases())
    return urls == _config(app) and environment["HEROKU_RELEASE_VERSION"] == f"v{newest}"


def test_add_ons_are_whole_or_gone_whenever_the_platform_dies_while_they_are_made_or_destroyed(platform: Copy, make_app: NewApp) -> None:
    app = make_app(files=apps.teller())
    app.senryu("addons:create", "heroku-postgresql")  # so that the server runs
    kept = len(_addons(app))
    for _ in range(max(3, ROUNDS // 10)):
        before = {add_on["name"] for add_on in _addons(app)}
        is_told = killed_during(app, ("senryud",), "addons:create", "heroku-postgresql", within_s=0.85)
        eventually(lambda: _is_calm(app), "add-ons to be whole", _FINISHED_S)
        made = {add_on["name"] for add_on in _addons(app)} - before
        assert len(made) <= 1 and (made or not is_told)
        eventually(lambda: _databases(platform) == _named_by(app), "one database for each config var", _FINISHED_S)
        eventually(lambda: _agrees(app), "the app to have what its config vars say", _FINISHED_S)
        for name in made:
            assert any(f"@{name}" in release["description"] or name in release["description"] for release in app.releases())
            is_gone = killed_during(app, ("senryud",), "addons:destroy", name, "--confirm", app.name, within_s=0.85)
            eventually(lambda: _is_calm(app) and _databases(platform) == _named_by(app), "destroyed ones to be gone", _FINISHED_S)
            assert name not in {add_on["name"] for add_on in _addons(app)} or not is_gone
            eventually(lambda: _agrees(app), "the app to have what its config vars say", _FINISHED_S)
    for url in (url for url in _config(app).values() if url.startswith("postgres://")):
        done = app.senryu("run", "--exit-code", "--", f"{_PSQL} '{url}' -Atc 'SELECT 1'")
        assert done.stdout.strip() == "1"
    assert len(_addons(app)) >= kept


def test_config_vars_newest_release_and_dynos_are_one_whenever_the_platform_dies_while_they_change(make_app: NewApp) -> None:
    app = make_app(files=apps.teller())
    app.senryu("addons:create", "heroku-postgresql:standard-0", "--name", f"{app.name}-db")
    app.senryu("addons:create", "heroku-redis", "--name", f"{app.name}-store")
    changes = (
        ("addons:attach", f"{app.name}-db", "--as", "OTHER"),
        ("pg:credentials:rotate", "--confirm", app.name),
        ("redis:credentials", "--reset"),
        ("addons:detach", "OTHER"),
    )
    for _ in range(max(2, ROUNDS // 10)):
        for change in changes:
            before = len(app.releases())
            is_told = killed_during(app, ("senryud",), *change, within_s=0.6)
            eventually(lambda: _agrees(app), f"the app to have what its config vars say after {change[0]}", _FINISHED_S)
            eventually(lambda: _is_at_rest(app), "what was begun to be done", _FINISHED_S)
            assert len(app.releases()) - before in ((1,) if is_told else (0, 1)), change
        if "OTHER_URL" in _config(app):
            app.senryu("addons:detach", "OTHER")
    url = _config(app)["DATABASE_URL"]
    assert app.senryu("run", "--exit-code", "--", f"{_PSQL} '{url}' -Atc 'SELECT 1'").stdout.strip() == "1"


def _is_at_rest(app: App) -> bool:
    told = app.senryu("pg:credentials", "--json", check=False)
    shown = told.stdout + app.senryu("addons:info", f"{app.name}-store", check=False).stdout
    return "rotating" not in shown and "being reset" not in shown and _agrees(app)
