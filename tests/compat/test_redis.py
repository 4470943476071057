"""Key-value stores by the official client: made, asked, configured, promoted, given other passwords, destroyed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from system.person import App

from .client import Heroku

pytestmark = pytest.mark.skipif(not Path("/usr/bin/redis-cli").exists(), reason="Redis is not installed (Debian package redis-tools)")


def _url(heroku: Heroku, name: str = "REDIS_URL") -> str:
    return str(json.loads(heroku.run("config", "--json").stdout)[name])


def test_a_key_value_store_from_the_first_to_the_last_day(heroku: Heroku, app: App) -> None:
    heroku.run("addons:plans", "heroku-redis", says="premium-0")
    heroku.run("addons:create", "heroku-redis:mini", "--name", "cache", says="REDIS_URL")
    heroku.run("redis:wait")
    heroku.run("redis", says="=== cache (REDIS_URL)")
    heroku.run("redis:info", says="Persistence: None")
    assert json.loads(heroku.run("redis:info", "--json").stdout)[0]["name"] == "cache"
    url = _url(heroku)
    heroku.run("redis:credentials", says=url)
    assert "kite" in heroku.run("redis:cli", stdin="SET picture kite\nGET picture\n", says="Connecting to cache (REDIS_URL)").stdout
    heroku.run("redis:maxmemory", "--policy", "allkeys-lru", says="removes less recently used keys first")
    heroku.refused("redis:maxmemory", "--policy", "none", says="no eviction policy")
    heroku.run("redis:timeout", "--seconds", "60", says="stopped after idling for 60 seconds")
    heroku.run("redis:keyspace-notifications", "--config", "AKE", says="set to 'AKE'")
    heroku.run("redis:stats-reset", "--confirm", app.name, says="Stats reset on cache")
    heroku.refused("redis:upgrade", "--version", "2.8", "--confirm", app.name, says="only")
    version = re.findall(r"Version:\s+(\d+\.\d+)", heroku.run("redis:info").stdout)[0]
    heroku.run("redis:upgrade", "--version", version, "--confirm", app.name, says="already")
    heroku.run("redis:credentials", "--reset", says="Resetting credentials for cache")
    assert _url(heroku) != url
    assert "kite" in heroku.run("redis:cli", stdin="GET picture\n").stdout

    heroku.run("addons:create", "heroku-redis:premium-0", "--name", "queue", "--as", "QUEUE")
    heroku.run("redis:promote", "queue", says="Promoting queue to REDIS_URL")
    assert _url(heroku) == _url(heroku, "QUEUE_URL")
    assert any(name.startswith("HEROKU_REDIS_") for name in json.loads(heroku.run("config", "--json").stdout))
    heroku.run("addons:upgrade", "queue", "heroku-redis:premium-1")
    heroku.run("addons:downgrade", "queue", "heroku-redis:premium-0")
    heroku.run("addons:docs", "queue", "--show-url", says="heroku-redis")
    assert "/senryu/sso/" in heroku.run("addons:open", "queue", "--show-url").stdout
    heroku.run("redis:info", "queue", says="Persistence: AOF")
    for name in ("cache", "queue"):
        heroku.run("addons:destroy", name, "--confirm", app.name)
    assert not [name for name in json.loads(heroku.run("config", "--json").stdout) if "REDIS" in name]
