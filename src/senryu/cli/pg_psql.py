"""pg:psql, pg:push, pg:pull, pg:tunnel: PostgreSQL's own programs on this machine, led to a database of the platform.

Source: https://devcenter.heroku.com/articles/managing-heroku-postgres-using-cli (pg:psql, pg:push, pg:pull)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from urllib.parse import unquote

from senryu.cli.arguments import AN_APP, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import hexagon, note, say
from senryu.cli.pg_database import address, database, program, reached
from senryu.cli.platform_api import PlatformApi
from senryu.cli.remotes import app_for

_PORT = 5432
_EMPTY = "SELECT count(*) FROM pg_stat_user_tables"
_WAIT_S = 3600.0


def psql(api: PlatformApi, app: str, name: str, *words: str, credential: str | None = None) -> int:
    """Runs psql against a database of the platform; gives its exit status. Ctrl-C is psql's."""
    wanted = database(api, app, name, credential)
    with reached(api, wanted) as port:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return subprocess.call([program("psql"), *words], env=wanted.environment(port))
        finally:
            signal.signal(signal.SIGINT, before)


def _psql(typed: Typed) -> int:
    app = app_for(typed)
    words = [word for flag, option in (("command", "-c"), ("file", "-f")) if (text := typed.text(flag)) for word in (option, text)]
    if not words:
        prompt = f"{app}::{typed.first('DATABASE')}%R%# "
        words = ["--set", f"PROMPT1={prompt}", "--set", f"PROMPT2={prompt}"]
    with PlatformApi() as api:
        note(f"--> Connecting to {typed.first('DATABASE')} of {hexagon(app)}")
        return psql(api, app, typed.first(), *words, credential=typed.text("credential"))


def _tunnel(typed: Typed) -> None:
    app, port = app_for(typed), typed.number("port", _PORT)
    with PlatformApi() as api:
        wanted = database(api, app, typed.first())
        with reached(api, wanted, port) as port:
            say(f"127.0.0.1:{port} leads to {wanted.name} until this ends (Ctrl-C).")
            say(f"For Heroku's client, in another terminal: PGHOSTADDR=127.0.0.1 heroku pg:psql -a {app}")
            sys.stdout.flush()
            threading.Event().wait()


def _elsewhere(url_or_name: str) -> tuple[list[str], dict[str, str]]:
    """What names a database that is not the platform's to libpq's programs, its password kept out of their arguments."""
    if "://" not in url_or_name:
        return [url_or_name], dict(os.environ)
    parts = address(url_or_name)
    asked = parts.query.split("&") if parts.query else []
    passwords = [parts.password or "", *(each.partition("=")[2] for each in asked if each.startswith("password="))]
    query = "&".join(each for each in asked if not each.startswith("password="))
    plain = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@"), query=query)
    password = {"PGPASSWORD": unquote(passwords[-1])} if passwords[-1] else {}  # libpq's last word counts too
    return [plain.geturl()], {**os.environ, **password}


def _check_empty(words: list[str], environment: dict[str, str], name: str, hint: str = "Use a new database") -> None:
    command = [program("psql"), "-X", "-Atc", _EMPTY, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_WAIT_S, check=False)
    if done.returncode != 0:
        raise Failure(f"{name} cannot be reached: {done.stderr.strip()[-200:]}")
    if done.stdout.strip() != "0":
        raise Failure(f"{name} is not empty", hint=hint)


def _moved(source: tuple[list[str], dict[str, str]], target: tuple[list[str], dict[str, str]], typed: Typed, *dump_words: str) -> int:
    """pg_dump into pg_restore. Gives an exit status."""
    left_out = [f"--exclude-table-data={part.strip()}" for part in (typed.text("exclude-table-data") or "").split(";") if part.strip()]
    words = ["-Fc", "-Z0", "--no-comments", *dump_words, *left_out]
    with ExitStack() as stack:
        dump = stack.enter_context(subprocess.Popen([program("pg_dump"), *words, *source[0]], env=source[1], stdout=subprocess.PIPE))
        into = [program("pg_restore"), "--no-acl", "--no-owner", "-d", target[0][0] if target[0] else target[1]["PGDATABASE"]]
        restore = stack.enter_context(subprocess.Popen(into, env=target[1], stdin=dump.stdout))
        if dump.stdout:
            dump.stdout.close()
    if dump.returncode or restore.returncode:
        raise Failure("Not everything was copied; the messages above say what", hint="The target may be incomplete")
    return 0


def _push(typed: Typed) -> int:
    source, name = typed.args
    with PlatformApi() as api:
        wanted = database(api, app_for(typed), name)
        with reached(api, wanted) as port:
            environment = wanted.environment(port)
            _check_empty([], environment, wanted.name, "Use a new database, or empty it with `senryu pg:reset`")
            status = _moved(_elsewhere(source), ([], environment), typed, "-N", "heroku_ext")
    note(f"Pushed to {wanted.name}.")
    return status


def _pull(typed: Typed) -> int:
    name, target = typed.args
    with PlatformApi() as api:
        wanted = database(api, app_for(typed), name)
        words, environment = _elsewhere(target)
        if "://" in target:
            _check_empty(words, environment, "The target")
        elif subprocess.call([program("createdb"), target], env=environment) != 0:
            raise Failure(f"The database {target} cannot be made on this machine", hint="Name one that does not exist yet, or give a URL")
        with reached(api, wanted) as port:
            status = _moved(([], wanted.environment(port)), (words, environment), typed)
    note(f"Pulled from {wanted.name}.")
    return status


_LEFT_OUT = Flag("exclude-table-data", "", "TABLES", "tables whose rows are left out, separated by semicolons")
_ANY = (
    *AN_APP,
    Flag("command", "c", "SQL", "run this and end"),
    Flag("file", "f", "FILE", "run a file and end"),
    Flag("credential", "", "NAME", "credential to use, which must be attached"),
)
TOPIC = {
    "pg:psql": Command(_psql, "[DATABASE]", _ANY, most=1, examples=("pg:psql", 'pg:psql -c "SELECT 1"')),
    "pg:push": Command(_push, "SOURCE TARGET", (*AN_APP, _LEFT_OUT), least=2, most=2, examples=("pg:push mylocaldb DATABASE",)),
    "pg:pull": Command(_pull, "SOURCE TARGET", (*AN_APP, _LEFT_OUT), least=2, most=2, examples=("pg:pull DATABASE mylocaldb",)),
    "pg:tunnel": Command(
        _tunnel, "[DATABASE]", (*AN_APP, Flag("port", "", "PORT", "port of this machine (5432)")), most=1, examples=("pg:tunnel",)
    ),
}
