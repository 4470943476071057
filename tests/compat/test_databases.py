"""Databases by the official client: `pg:*` on a real database, from a machine that reaches the dynos' gateway, and through a tunnel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from system.person import PROGRAM, App
from system.rig import eventually, free_ports

from .client import Heroku

pytestmark = pytest.mark.postgres
NAME = "grown-db"


@pytest.fixture(scope="module")
def database(heroku: Heroku, app: App) -> Iterator[str]:
    """A standard database with a table, so that every command has something to say."""
    heroku.run("addons:create", "heroku-postgresql:standard-0", "--name", NAME, "--as", "DATABASE")
    heroku.run("pg:psql", "-c", "CREATE TABLE pictures AS SELECT n AS id, 'kite ' || n AS name FROM generate_series(1, 2000) n")
    yield NAME
    heroku.run("addons:destroy", NAME, "--confirm", app.name, "--force")


def _url(heroku: Heroku, name: str = "DATABASE_URL") -> str:
    return str(json.loads(heroku.run("config", "--json").stdout)[name])


def test_information_and_questions(heroku: Heroku, app: App, database: str) -> None:
    heroku.run("pg", says="Data Size")
    heroku.run("pg:info", "DATABASE", says="Status: Available")
    heroku.run("pg:wait")
    heroku.run("pg:psql", "-c", "SELECT count(*) FROM pictures", says="2000")
    heroku.run("psql", "-c", "SELECT 6 * 7", says="42")
    heroku.run("pg:ps", says="pid")
    heroku.run("pg:locks", says="relname")
    heroku.run("pg:blocking", says="blocked_pid")
    heroku.run("pg:bloat", says="waste")
    heroku.run("pg:cache-hit", says="table hit rate")
    heroku.run("pg:index-usage", says="pictures")
    heroku.run("pg:index-size", says="size")
    heroku.run("pg:table-size", says="pictures")
    heroku.run("pg:total-table-size", says="pictures")
    heroku.run("pg:total-index-size", says="size")
    heroku.run("pg:table-indexes-size", says="pictures")
    heroku.run("pg:records-rank", says="pictures")
    heroku.run("pg:seq-scans", says="pictures")
    heroku.run("pg:unused-indexes", says="index_size")
    heroku.run("pg:vacuum-stats", says="pictures")
    heroku.run("pg:long-running-queries", says="duration")
    heroku.run("pg:user-connections", says="credential")
    heroku.run("pg:extensions", says="pg_trgm")
    heroku.run("pg:outliers", says="total_exec_time")
    heroku.run("pg:calls", says="ncalls")
    heroku.run("pg:stats-reset", says="reset")
    heroku.run("pg:diagnose", says="GREEN: Connection Count")
    heroku.run("pg:links", says="No data sources")
    heroku.run("pg:settings", says="track-functions: none")
    heroku.run("pg:settings:track-functions", "DATABASE", "pl", says="track-functions has been set to pl")
    heroku.refused("pg:settings:log-statement", "DATABASE", "all", says="cannot be changed here")
    heroku.refused("pg:upgrade:run", "DATABASE", "--confirm", app.name, says="distribution")
    heroku.run("pg:upgrade:wait", "DATABASE", says="available")


def test_sessions_are_cancelled_and_ended(heroku: Heroku, app: App, database: str) -> None:
    environment = {**heroku.environment, "PGSSLMODE": "require"}
    sleeping = subprocess.Popen(["psql", _url(heroku), "-c", "SELECT pg_sleep(300)"], env=environment, stderr=subprocess.PIPE, text=True)

    def pid() -> str:
        rows = [line.split("|")[0].strip() for line in heroku.run("pg:ps").stdout.splitlines() if "pg_sleep" in line]
        return rows[0] if rows else ""

    heroku.run("pg:kill", eventually(pid, "the sleeping session"), says="t")
    assert "canceling statement due to user request" in sleeping.communicate(timeout=60)[1]
    again = subprocess.Popen(["psql", _url(heroku), "-c", "SELECT pg_sleep(300)"], env=environment, stderr=subprocess.PIPE, text=True)
    eventually(pid, "the sleeping session")
    heroku.run("pg:killall")
    assert "terminat" in again.communicate(timeout=60)[1]


def test_credentials(heroku: Heroku, app: App, database: str) -> None:
    heroku.run("pg:credentials", says="default")
    heroku.run("pg:credentials:url", says=urlsplit(_url(heroku)).path[1:])
    heroku.run("pg:credentials:create", database, "--name", "analyst")
    heroku.run("addons:attach", database, "--credential", "analyst", "--as", "READER", says="done")
    role = str(urlsplit(_url(heroku, "READER_URL")).username)
    heroku.run("pg:psql", "READER", "--credential", "analyst", "-c", "SELECT current_user", says=role)
    heroku.refused("pg:psql", "READER", "-c", "SELECT * FROM pictures", says="permission denied", status=1)
    before = _url(heroku, "READER_URL")
    heroku.run("pg:credentials:rotate", database, "--name", "analyst", "--confirm", app.name)
    assert _url(heroku, "READER_URL") != before
    heroku.run("pg:credentials:repair-default", database, "--confirm", app.name)
    heroku.refused("pg:credentials:destroy", database, "--name", "analyst", "--confirm", app.name, says="must be detached", status=1)
    heroku.run("addons:detach", "READER")
    heroku.run("pg:credentials:destroy", database, "--name", "analyst", "--confirm", app.name)
    before = _url(heroku)
    heroku.run("pg:credentials:rotate", database, "--confirm", app.name)
    assert _url(heroku) != before
    heroku.run("pg:psql", "-c", "SELECT count(*) FROM pictures", says="2000")


def test_another_database_is_promoted_filled_and_emptied(heroku: Heroku, app: App, database: str) -> None:
    heroku.run("addons:create", "heroku-postgresql:essential-0", "--name", "second-db", "--as", "SECOND")
    heroku.run("pg:promote", "SECOND")
    assert _url(heroku) == _url(heroku, "SECOND_URL")
    heroku.refused("pg:promote", "SECOND", says="already promoted")
    heroku.run("pg:promote", database)
    heroku.run("pg:push", _url(heroku), "SECOND", says="Pushing complete")
    heroku.run("pg:psql", "SECOND", "-c", "SELECT count(*) FROM pictures", says="2000")
    heroku.refused("pg:push", _url(heroku), "SECOND", says="not empty")
    heroku.run("pg:reset", "SECOND", "--confirm", app.name, "--extensions", "hstore,citext")
    heroku.run("pg:psql", "SECOND", "-c", "SELECT count(*) FROM pg_stat_user_tables", says="0")
    heroku.run("pg:pull", database, _url(heroku, "SECOND_URL"), says="Pulling complete")
    heroku.run("pg:psql", "SECOND", "-c", "SELECT count(*) FROM pictures", says="2000")
    heroku.run("addons:destroy", "second-db", "--confirm", app.name)


def test_a_user_who_does_not_reach_the_gateway_goes_through_a_tunnel(heroku: Heroku, app: App, database: str) -> None:
    port = free_ports(1)[0]
    command = [PROGRAM, "pg:tunnel", "-a", app.name, "--port", str(port)]
    tunnel = subprocess.Popen(command, env=heroku.person.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert tunnel.stdout and f"127.0.0.1:{port}" in tunnel.stdout.readline()
        parts = urlsplit(_url(heroku))
        elsewhere = parts._replace(netloc=f"{parts.username}:{parts.password}@unreachable.invalid:{port}").geturl()
        done = subprocess.run(
            ["psql", elsewhere, "-Atc", "SELECT count(*) FROM pictures"],
            env={**heroku.environment, "PGHOSTADDR": "127.0.0.1", "PGSSLMODE": "require"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.strip() == "2000", done.stderr
    finally:
        tunnel.terminate()
        tunnel.wait(20)
