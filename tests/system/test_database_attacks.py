"""Two tenants' databases attacked from each other's dynos, and credentials through kills: nothing leaks, nobody starves."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import NewApp
from .person import PROGRAM, App
from .rig import Copy, eventually

pytestmark = pytest.mark.postgres
_PSQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), Path("/usr/bin/psql"))
SECRET = "canary-of-the-neighbour"
# What a tenant may not, asked in a database of his own. Each must be refused.
STATEMENTS = (
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/out'",
    "CREATE TABLE stolen (t text); COPY stolen FROM '/etc/passwd'",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION file_fdw",
    "CREATE EXTENSION postgres_fdw",
    "CREATE EXTENSION adminpack",
    "CREATE EXTENSION plpython3u",
    "CREATE FUNCTION system(text) RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system'",
    "LOAD '/lib/x86_64-linux-gnu/libc.so.6'",
    "CREATE ROLE intruder SUPERUSER LOGIN",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT * FROM pg_authid",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT * FROM pg_create_physical_replication_slot('s')",
    "SET temp_file_limit = -1",
    "SET ROLE senryu_admin",
    "CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION f()",
    "CREATE DATABASE another",
    "DROP EXTENSION pg_stat_statements",
)
# Run inside a dyno: prints one line for each statement, then what the catalogs show of others.
ATTACK = r"""
import subprocess, sys, json, socket, os, time
psql, url, other = sys.argv[1], os.environ["DATABASE_URL"], sys.argv[2]
def ask(statement, to=url):
    done = subprocess.run([psql, to, "-v", "ON_ERROR_STOP=1", "-XAtc", statement], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr
said = {"refused": [], "allowed": []}
for statement in json.loads(sys.argv[3]):
    code, text = ask(statement)
    said["allowed" if code == 0 else "refused"].append([statement, text[-200:]])
head, _, base = url.rpartition("/")
theirs = other.rpartition("/")[2]
said["connect"] = {name: ask("SELECT 1", f"{head}/{name}")[1] for name in (theirs, "postgres", "template1", "template0")}
said["size"] = ask(f"SELECT pg_database_size('{theirs}')")[1]
said["seen"] = ask("SELECT query FROM pg_stat_activity UNION ALL SELECT query FROM pg_stat_statements UNION ALL SELECT usename FROM pg_user"
                   " UNION ALL SELECT shobj_description(oid, 'pg_database') FROM pg_database")[1]
said["end"] = ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{theirs}'")[1]
host, port = url.split("@")[1].split("/")[0].split(":")
plain = socket.create_connection((host, int(port)), 10)
user = url.split("//")[1].split(":")[0]
words = b"user\0" + user.encode() + b"\0database\0" + base.encode() + b"\0\0"
plain.sendall((len(words) + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + words)
said["plain"] = plain.recv(4096).decode("latin-1")
held = []
for _ in range(30):
    held.append(subprocess.Popen([psql, url, "-XAtc", "SELECT pg_sleep(20)"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
said["exhausted"] = sum("too many" in each.communicate(timeout=90)[0] for each in held)
quiet = []
for _ in range(300):  # says nothing, and waits
    try: quiet.append(socket.create_connection((host, int(port)), 5))
    except OSError: pass
said["quiet"] = len(quiet)
time.sleep(5)
print("SAID" + json.dumps(said))
"""
KNOCK = "import socket, sys; print(socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))))"


def _run(app: App, *words: str) -> str:
    return app.senryu("run", "--exit-code", "--", *words, check=False).stdout


def _psql(app: App, statement: str) -> str:
    return _run(app, f'{_PSQL} "$DATABASE_URL" -v ON_ERROR_STOP=1 -XAtc "{statement}"').strip()


def _config(app: App, name: str = "DATABASE_URL") -> str:
    return str(json.loads(app.senryu("config", "--json").stdout)[name])


def test_a_tenant_gets_nothing_of_another_and_cannot_starve_him(make_app: NewApp) -> None:
    victim, attacker = make_app(), make_app()
    for app in (victim, attacker):
        app.push()
        app.senryu("addons:create", "heroku-postgresql:essential-0")
    _psql(victim, f"CREATE TABLE diary AS SELECT '{SECRET}' AS line; COMMENT ON TABLE diary IS '{SECRET}'")
    script = base64.b64encode(ATTACK.encode()).decode()
    command = f"import base64; exec(base64.b64decode('{script}'))"
    words = (f"'{_PSQL}'", f"'{_config(victim)}'", f"'{base64.b64encode(json.dumps(STATEMENTS).encode()).decode()}'")
    attack = command.replace("exec(", "import sys; sys.argv[3] = base64.b64decode(sys.argv[3]).decode(); exec(")
    line = f'python3 -c "{attack}" {" ".join(words)}'
    attacking = subprocess.Popen(
        [PROGRAM, "run", "-a", attacker.name, "--", line], env=attacker.owner.environment, stdout=subprocess.PIPE, text=True
    )
    answered = 0
    while attacking.poll() is None:  # all the while the neighbour is served
        assert _psql(victim, "SELECT line FROM diary") == SECRET
        answered += 1
    assert answered >= 1
    output = attacking.stdout.read() if attacking.stdout else ""
    assert "SAID" in output, output[-3000:]
    said = json.loads(output.partition("SAID")[2].splitlines()[0])
    assert said["allowed"] == [] and len(said["refused"]) == len(STATEMENTS)
    assert all("FATAL" in text for text in said["connect"].values()), said["connect"]
    assert "permission denied" in said["size"] and "t" not in said["end"].split()
    assert SECRET not in output and "diary" not in said["seen"] and victim.name not in said["seen"]
    assert "pg_hba" in said["plain"] or "no encryption" in said["plain"], said["plain"]
    assert said["exhausted"] >= 5  # of 30 at once; its plan has 20
    assert 1 <= said["quiet"] <= 100
    assert _psql(victim, "SELECT count(*) FROM diary") == "1"


def test_an_app_without_a_database_cannot_even_connect(make_app: NewApp) -> None:
    owner, stranger = make_app(), make_app()
    for app in (owner, stranger):
        app.push()
    owner.senryu("addons:create", "heroku-postgresql:essential-0")
    url = urlsplit(_config(owner))
    knock = f"timeout 3 python3 -c '{KNOCK}' {url.hostname} {url.port}"
    assert _run(owner, knock).strip() == "0"
    assert _run(stranger, knock).strip() != "0"
    stranger.senryu("config:set", f"COPIED={url.geturl()}")  # as a Heroku user may
    assert _run(stranger, knock).strip() == "0"
    ask = f'#!/bin/sh\necho "the build says $({_PSQL} $DATABASE_URL -XAtc "SELECT 6 * 7")"\n'
    assert "the build says 42" in owner.deploy({"bin/post_compile": ask})  # as builds that migrate do


def test_credentials_outlive_kills_of_the_server_and_the_platform(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    app.push()
    app.senryu("addons:create", "heroku-postgresql:standard-0", "--name", f"kept-{app.name}")
    _psql(app, "CREATE TABLE kept AS SELECT 7 AS n")
    for kill in ("senryud", "postgres", "senryud"):
        for words in (("pg:credentials:create", "--name", f"c-{kill}"), ("pg:credentials:rotate", "--confirm", app.name)):
            going = subprocess.Popen(
                [PROGRAM, words[0], "-a", app.name, *words[1:]],
                env=app.owner.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                going.wait(0.25)
            except subprocess.TimeoutExpired:
                pass
            if kill == "senryud":
                platform.kill("senryud")
                platform.await_health()
            else:
                platform.kill_postgres()
            going.wait(120)
    # Every credential that is told of works, and none is half made or half changed.
    eventually(lambda: _states(app) == {"active"}, "settled credentials", 200)
    eventually(lambda: _psql(app, "SELECT n FROM kept") == "7", "the rotated password")
    roles = _psql(app, "SELECT count(*) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = current_database()")
    listed = json.loads(app.senryu("pg:credentials", "--json").stdout)
    assert int(roles) == len(listed)
    database = urlsplit(_config(app)).path[1:]
    app.senryu("addons:destroy", "DATABASE", "--confirm", app.name)
    other = make_app()
    other.push()
    other.senryu("addons:create", "heroku-postgresql:essential-0")
    users = ", ".join("'" + each["credentials"][0]["user"] + "'" for each in listed)
    assert _psql(other, f"SELECT count(*) FROM pg_database WHERE datname = '{database}'") == "0"
    assert _psql(other, f"SELECT count(*) FROM pg_roles WHERE rolname IN ({users})") == "0"


def _states(app: App) -> set[str]:
    done = app.senryu("pg:credentials", "--json", check=False)
    return {each["state"] for each in json.loads(done.stdout)} if done.returncode == 0 else set()
