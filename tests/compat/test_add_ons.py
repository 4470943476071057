"""Add-ons by the official client: a real database made, shared, renamed, changed, promoted and destroyed."""

from __future__ import annotations

import json

import pytest

from system.person import App

from .client import Heroku

pytestmark = pytest.mark.postgres


def test_a_database_from_the_first_to_the_last_day(heroku: Heroku, app: App) -> None:
    heroku.run("addons:services", says="heroku-postgresql")
    heroku.run("addons:plans", "heroku-postgresql", says="essential-0")
    heroku.run("addons:create", "heroku-postgresql:essential-0", "--name", "pictures-db", says="DATABASE_URL")
    heroku.run("addons:wait", "pictures-db")
    heroku.run("addons", says="pictures-db")
    heroku.run("addons:info", "pictures-db", says="heroku-postgresql:essential-0")
    config = json.loads(heroku.run("config", "--json").stdout)
    assert config["DATABASE_URL"].startswith("postgres://")
    heroku.run("addons:attach", "pictures-db", "--as", "PICTURES", says="PICTURES")
    assert json.loads(heroku.run("config", "--json").stdout)["PICTURES_URL"] == config["DATABASE_URL"]
    heroku.run("addons:detach", "PICTURES")
    heroku.run("addons:upgrade", "pictures-db", "heroku-postgresql:essential-1")
    heroku.run("addons:info", "pictures-db", says="essential-1")
    heroku.run("addons:rename", "pictures-db", "photos-db")
    heroku.run("addons:open", "photos-db", "--show-url")
    heroku.run("addons:destroy", "photos-db", "--confirm", app.name, says="Destroying")
    assert "DATABASE_URL" not in json.loads(heroku.run("config", "--json").stdout)
    heroku.refused("addons:create", "some:plan", says="Couldn't find the add-on service some", status=2)
