"""kill -9 of senryud while add-ons are made and destroyed: none stays half made, no database is left over, what was told is there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from system.person import App
from system.rig import Copy, eventually

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


def test_add_ons_are_whole_or_gone_whenever_the_platform_dies_while_they_are_made_or_destroyed(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    app.senryu("addons:create", "heroku-postgresql")  # so that the server runs
    kept = len(_addons(app))
    for _ in range(max(3, ROUNDS // 10)):
        before = {add_on["name"] for add_on in _addons(app)}
        is_told = killed_during(app, ("senryud",), "addons:create", "heroku-postgresql", within_s=0.85)
        eventually(lambda: _is_calm(app), "add-ons to be whole", _FINISHED_S)
        made = {add_on["name"] for add_on in _addons(app)} - before
        assert len(made) <= 1 and (made or not is_told)
        eventually(lambda: _databases(platform) == _named_by(app), "one database for each config var", _FINISHED_S)
        for name in made:
            assert any(f"@{name}" in release["description"] or name in release["description"] for release in app.releases())
            is_gone = killed_during(app, ("senryud",), "addons:destroy", name, "--confirm", app.name, within_s=0.85)
            eventually(lambda: _is_calm(app) and _databases(platform) == _named_by(app), "destroyed ones to be gone", _FINISHED_S)
            assert name not in {add_on["name"] for add_on in _addons(app)} or not is_gone
    for url in (url for url in _config(app).values() if url.startswith("postgres://")):
        done = app.senryu("run", "--exit-code", "--", f"{_PSQL} '{url}' -Atc 'SELECT 1'")
        assert done.stdout.strip() == "1"
    assert len(_addons(app)) >= kept
