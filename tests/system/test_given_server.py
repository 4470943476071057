"""Databases on a PostgreSQL server that the operator has (`postgres_admin_url`): what works there, and what it says where it cannot.

The server is a place outside of the platform too, for what is brought from there or taken there.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .elsewhere import answers, elsewhere, machine
from .person import App, Person, new_app, registered
from .rig import Copy, eventually, new_password, running_copy

pytestmark = pytest.mark.postgres
_PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), Path("/usr/bin"))
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Given:
    """A platform on a server of the operator's; `url` is its administrator's, `cluster` its directory."""

    copy: Copy
    operator: Person
    url: str
    password: str
    cluster: Path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    password = new_password()
    with (
        _server(password) as (url, cluster),
        running_copy(f'postgres_admin_url = "{url}"\nallow_private_backups = true\n') as copy,
    ):
        yield Given(copy, registered(copy, tmp_path_factory.mktemp("operator") / "home"), url, password, cluster)


@contextmanager
def _server(password: str) -> Iterator[tuple[str, Path]]:
    """A server on a machine of its own, as somebody made it who never heard of the platform: its administrator's URL, its directory."""
    folder = Path(tempfile.mkdtemp(prefix="senryu-given-", dir="/var/tmp"))
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    (secret := folder / "password").write_text(password)
    os.chown(secret, user.pw_uid, user.pw_gid)
    cluster = folder / "data"
    with machine("172.30") as (address, inside):  # a private network, as of most such servers
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
            yield f"postgres://chief:{password}@{address}:5432/", cluster
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


def test_a_server_of_the_operators_own_has_databases_like_the_platforms(given: Given) -> None:
    with new_app(given.operator) as app:
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
        assert _tenants(given.url) == ""
    assert given.password not in given.copy.own_log(2000)
    assert not (given.copy.home / "data/postgres").exists()


def _encrypted(given: Given) -> None:
    """From now on the server has TLS."""
    user = pwd.getpwnam("nobody")
    pair = [given.cluster / f"server.{end}" for end in ("key", "crt")]
    making = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=given")
    subprocess.run([*making, "-keyout", str(pair[0]), "-out", str(pair[1])], check=True, capture_output=True, timeout=_TIMEOUT_S)
    for file in pair:
        os.chown(file, user.pw_uid, user.pw_gid)
        file.chmod(0o600)
    _chief(given.url, "ALTER SYSTEM SET ssl = on")
    _chief(given.url, "SELECT pg_reload_conf()")
    eventually(lambda: _chief(given.url, "SHOW ssl") == "on", "TLS")


def test_data_comes_from_outside_and_goes_there(given: Given, tmp_path: Path) -> None:
    _chief(given.url, "CREATE DATABASE mylocaldb")
    local = f"{given.url}mylocaldb"
    subprocess.run(
        [str(_PROGRAMS / "psql"), local, "-qc", "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite')"],
        check=True, timeout=_TIMEOUT_S,
    )  # fmt: skip
    with new_app(given.operator) as app, elsewhere(tmp_path) as web:
        app.senryu("addons:create", "heroku-postgresql")
        host = given.url.rpartition("@")[2].partition(":")[0]
        # By name, as a database of one's own machine is.
        environment = given.operator.environment
        environment |= {"PGHOST": host, "PGUSER": "chief", "PGPASSWORD": given.password}
        try:
            assert "Pushed to" in app.senryu("pg:push", "mylocaldb", "DATABASE").stderr
            assert "is not empty" in _refused(app, "pg:push", "mylocaldb", "DATABASE")
            assert "Pulled from" in app.senryu("pg:pull", "DATABASE", "pulled").stderr
            assert "cannot be made" in _refused(app, "pg:pull", "DATABASE", "pulled")
        finally:
            for name in ("PGHOST", "PGUSER", "PGPASSWORD"):
                del environment[name]
        assert _pictures(f"{given.url}pulled") == "kite"

        # An archive that somebody made and put on a web server.
        words = ("-Fc", "--no-acl", "--no-owner", "-f", str(tmp_path / "my.dump"), local)
        subprocess.run([str(_PROGRAMS / "pg_dump"), *words], check=True, timeout=_TIMEOUT_S)
        (tmp_path / "page.dump").write_text("<html>")
        url = _url(app)
        app.senryu("pg:reset", "DATABASE", "--confirm", app.name)
        said = app.senryu("pg:backups:restore", web.http("my.dump?signature=s3cret"), "DATABASE", "--confirm", app.name)
        assert "r001: Completed" in said.stdout and "s3cret" not in said.stdout + said.stderr + app.senryu("pg:backups").stdout
        assert _pictures(url) == "kite"
        assert "answered 404" in _refused(app, "pg:backups:restore", web.http("none.dump"), "--confirm", app.name)
        print(_refused(app, "pg:backups:restore", web.http("page.dump"), "--confirm", app.name))
        assert _pictures(url) == "kite"

        # A database elsewhere is copied over TLS only: the way there is anybody's.
        app.senryu("pg:psql", "-c", "DELETE FROM pictures")
        assert "SSL" in _refused(app, "pg:copy", local, "DATABASE", "--confirm", app.name)
        _encrypted(given)
        assert "Completed" in app.senryu("pg:copy", local, "DATABASE", "--confirm", app.name).stdout
        assert _pictures(url) == "kite"
        app.senryu("pg:psql", "-c", "UPDATE pictures SET name = 'swan'")
        assert "Completed" in app.senryu("pg:copy", "DATABASE", local, "--confirm", app.name).stdout
        assert _pictures(local) == "swan"
    assert given.password not in given.copy.own_log(2000)


def _pictures(url: str) -> str:
    return subprocess.run(
        [str(_PROGRAMS / "psql"), url, "-Atqc", "SELECT name FROM pictures"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    ).stdout.strip()
