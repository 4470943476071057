"""Databases on a PostgreSQL server that the operator has (`postgres_admin_url`): what works there, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .elsewhere import answers, machine
from .person import App, new_app, registered
from .rig import eventually, new_password, running_copy

pytestmark = pytest.mark.postgres
_PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), Path("/usr/bin"))
_TIMEOUT_S = 60


@contextmanager
def _server(password: str) -> Iterator[str]:
    """A server on a machine of its own, as somebody made it who never heard of the platform; gives its administrator's URL."""
    folder = Path(tempfile.mkdtemp(prefix="senryu-given-", dir="/var/tmp"))
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    (secret := folder / "password").write_text(password)
    os.chown(secret, user.pw_uid, user.pw_gid)
    cluster = folder / "data"
    with machine() as (address, inside):
        dropped = (*inside, "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--")

        def ran(program: str, *words: str) -> None:
            command = [*dropped, str(_PROGRAMS / program), "-D", str(cluster), *words]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=folder, stdin=subprocess.DEVNULL
            )
            assert done.returncode == 0, done.stdout + done.stderr

        try:
            ran("initdb", "-U", "chief", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-sync")
            with (cluster / "pg_hba.conf").open("a") as file:
                file.write("host all all 0.0.0.0/0 scram-sha-256\n")
            options = f"-c listen_addresses='{address}' -c unix_socket_directories={folder} -c fsync=off"
            ran("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
            eventually(lambda: answers(address, 5432), "the server")
            yield f"postgres://chief:{password}@{address}:5432/"
        finally:
            if (cluster / "postmaster.pid").exists():
                ran("pg_ctl", "-w", "-m", "immediate", "stop")
            shutil.rmtree(folder, ignore_errors=True)


def _chief(url: str, statement: str) -> str:
    """What the administrator sees."""
    command = [str(_PROGRAMS / "psql"), f"{url}postgres", "-Atqc", statement]
    return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout.strip()


def _tenants(url: str) -> str:
    """Databases and roles of tenants."""
    databases = "SELECT datname FROM pg_database WHERE datname ~ '^[dxy][0-9a-f]{16}$'"
    return _chief(url, f"{databases} UNION SELECT rolname FROM pg_roles WHERE rolname ~ '^[duc][0-9a-f]{{16}}$'")


def _url(app: App, name: str = "DATABASE_URL") -> str:
    return str(json.loads(app.senryu("config", "--json").stdout).get(name, ""))


def _asked(app: App, statement: str, variable: str = "DATABASE_URL") -> str:
    """What psql in a one-off dyno says."""
    return app.senryu("run", "--exit-code", "--", f'{_PROGRAMS}/psql "${variable}" -v ON_ERROR_STOP=1 -Atqc "{statement}"').stdout.strip()


def _refused(app: App, *words: str) -> str:
    done = app.senryu(*words, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def _cared_for(app: App) -> None:
    """info, psql, credentials, questions, settings."""
    told = " ".join(app.senryu("pg:info").stdout.split())
    for row in ("Plan: Standard 0", "Status: Available", "Tables: 1", "Fork/Follow: Fork only", "Rollback: Unsupported"):
        assert row in told
    assert app.senryu("pg:psql", "-c", "SELECT 'from ' || name FROM pictures").stdout.count("from kite") == 1
    app.senryu("pg:credentials:create", "--name", "analyst")
    [made] = json.loads(app.senryu("addons", "--json").stdout)
    app.senryu("addons:attach", made["name"], "--credential", "analyst", "--as", "READER")
    assert _asked(app, "SELECT current_user", "READER_URL") != _asked(app, "SELECT current_user")
    former = _url(app)
    app.senryu("pg:credentials:rotate", "--confirm", app.name)
    assert _url(app) != former
    assert _asked(app, "SELECT name FROM pictures") == "kite"
    app.senryu("addons:detach", "READER")
    app.senryu("pg:credentials:destroy", "--name", "analyst", "--confirm", app.name)
    for command in ("pg:ps", "pg:locks", "pg:blocking", "pg:bloat", "pg:diagnose", "pg:settings", "pg:extensions", "pg:wait"):
        app.senryu(command)


def _kept(app: App) -> None:
    """capture, download, restore; copy; push and pull."""
    assert "b001: Completed" in app.senryu("pg:backups:capture").stdout
    _asked(app, "DELETE FROM pictures")
    assert "Completed" in app.senryu("pg:backups:restore", "b001", "DATABASE", "--confirm", app.name).stdout
    assert _asked(app, "SELECT name FROM pictures") == "kite"
    app.senryu("addons:create", "heroku-postgresql:essential-0", "--as", "SECOND")
    assert "Completed" in app.senryu("pg:copy", "DATABASE", "SECOND", "--confirm", app.name).stdout
    assert _asked(app, "SELECT name FROM pictures", "SECOND_URL") == "kite"
    app.senryu("addons:destroy", "SECOND", "--confirm", app.name)


def test_a_server_of_the_operators_own_has_databases_like_the_platforms(tmp_path: Path) -> None:
    with _server(password := new_password()) as url, running_copy(f'postgres_admin_url = "{url}"\n') as copy:
        operator = registered(copy, tmp_path / "operator")
        with new_app(operator) as app:
            app.push()
            assert "as DATABASE_URL" in app.senryu("addons:create", "heroku-postgresql:standard-0").stdout
            _asked(app, "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite')")
            _cared_for(app)
            _kept(app)

            # A copy of the whole server, or what it was, only its owner can have.
            for option, more in (("--follow=DATABASE", ()), ("--rollback=DATABASE", ("--by=1 minute",))):
                said = _refused(app, "addons:create", "heroku-postgresql:standard-0", "--", option, *more)
                assert "on a server of its owner's" in said and "--fork" in said
            assert len(json.loads(app.senryu("addons", "--json").stdout)) == 1
            app.senryu("addons:create", "heroku-postgresql:standard-0", "--as", "FORK", "--", "--fork=DATABASE")
            app.senryu("pg:wait", "FORK")
            assert _asked(app, "SELECT name FROM pictures", "FORK_URL") == "kite"
            app.senryu("addons:destroy", "FORK", "--confirm", app.name)

            app.senryu("pg:reset", "DATABASE", "--confirm", app.name)
            assert _asked(app, "SELECT count(*) FROM pg_stat_user_tables") == "0"
            app.senryu("addons:destroy", "DATABASE", "--confirm", app.name)
            assert _tenants(url) == ""
        assert password not in copy.own_log(2000)
        assert not (copy.home / "data/postgres").exists()
