"""Followers by the official client: made, waited for, told of, unfollowed."""

from __future__ import annotations

import pytest

from system.person import App

from .client import Heroku

pytestmark = pytest.mark.postgres


def test_a_follower_from_its_making_to_its_own_life(heroku: Heroku, app: App) -> None:
    heroku.run("addons:create", "heroku-postgresql:standard-0", "--name", "leading-db", says="DATABASE_URL")
    heroku.run("addons:create", "heroku-postgresql:standard-0", "--name", "following-db", "--as", "COPY", "--", "--follow", "DATABASE")
    heroku.run("pg:wait")
    heroku.run("pg:info", "COPY", says="Following")
    heroku.run("pg:info", "DATABASE", says="following-db")
    heroku.refused("pg:reset", "COPY", "--confirm", app.name, says="follows another database", status=2)
    heroku.run("pg:unfollow", "COPY", "--confirm", app.name)
    heroku.run("pg:wait", "COPY")
    assert "Following" not in heroku.run("pg:info", "COPY").stdout
    for name in ("following-db", "leading-db"):
        heroku.run("addons:destroy", name, "--confirm", app.name)
