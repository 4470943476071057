"""local, local:run, local:version: the Procfile on the developer's machine, by honcho.

Source: https://devcenter.heroku.com/articles/heroku-local
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

from senryu.cli.arguments import Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import say

PORT = 5006
RELEASE = "release"


def _honcho() -> Any:
    try:
        import honcho
        import honcho.environ
        import honcho.manager
    except ImportError as error:
        hint = "Run `pip install honcho`, or `./quickstart`"
        raise Failure("honcho is not installed, and `senryu local` runs on it", hint=hint) from error
    return honcho


def _read(path: str, parse: Callable[[str], Any]) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read())
    except FileNotFoundError as error:
        raise Failure(f"There is no `{path}` here", hint="Name another one with `--procfile` or `--env`") from error
    except (ValueError, AssertionError) as error:
        raise Failure(f"`{path}` cannot be read: {error}") from error


def _variables(typed: Typed, honcho: Any) -> dict[str, str]:
    """The `.env` file's; a missing one is an error only when it was named."""
    named = typed.text("env")
    if named is None and not os.path.exists(".env"):
        return {}
    values: dict[str, str] = _read(named or ".env", honcho.environ.parse)
    return values


def counts(words: list[str], known: list[str]) -> dict[str, int]:
    """`web=2 worker` or `web,worker` as process type → how many; without words all but `release`, once each.

    Raises `Failure` for a process type that the Procfile lacks.
    """
    wanted: dict[str, int] = {}
    for word in ",".join(words).split(",") if words else [kind for kind in known if kind != RELEASE]:
        kind, equals, count = word.partition("=")
        if kind not in known:
            raise Failure(f"The Procfile has no process type `{kind}`", hint=f"It has: {', '.join(known)}")
        if equals and not (count.isascii() and count.isdigit()):
            raise Failure(f"`{word}` is no process count", hint="For example: `senryu local web=2`")
        wanted[kind] = int(count) if equals else 1
    return wanted


def _port(typed: Typed, variables: dict[str, str]) -> int:
    value = typed.text("port") or variables.get("PORT") or str(PORT)
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise Failure(f"`{value}` is no port", hint="For example: `senryu local --port 5006`")
    return int(value)


def _start(typed: Typed) -> int:
    honcho = _honcho()
    path = typed.text("procfile") or "Procfile"
    processes: dict[str, str] = _read(path, honcho.environ.parse_procfile).processes
    if not processes:
        raise Failure(f"`{path}` names no process type", hint="A line is `web: command`")
    wanted = counts(typed.args, list(processes))
    variables = _variables(typed, honcho)
    port = _port(typed, variables)
    variables.pop("PORT", None)
    manager = honcho.manager.Manager()
    chosen = {kind: processes[kind] for kind in processes if kind in wanted}
    for dyno in honcho.environ.expand_processes(chosen, concurrency=wanted, env=variables, port=port):
        environment = {**os.environ, **dyno.env, "DYNO": dyno.name}
        manager.add_process(dyno.name, dyno.cmd, env=environment, cwd=os.path.dirname(os.path.abspath(path)))
    manager.loop()
    return int(manager.returncode or 0)


def _run(typed: Typed) -> int:
    honcho = _honcho()
    if not typed.args:
        raise Failure("What is to be run?", hint="For example: `senryu local:run python manage.py migrate`")
    variables = _variables(typed, honcho)
    variables["PORT"] = str(_port(typed, variables))
    environment = {**os.environ, **variables}
    try:
        if len(typed.args) == 1:
            return _status(subprocess.call(["/bin/sh", "-c", typed.args[0]], env=environment))
        return _status(subprocess.call(typed.args, env=environment))
    except FileNotFoundError as error:
        raise Failure(f"`{typed.args[0]}` is not installed here", status=127) from error


def _status(code: int) -> int:
    """A command ended by a signal counts as in a shell: 128 and the signal's number."""
    return 128 - code if code < 0 else code


def _version(typed: Typed) -> None:
    say(f"honcho {_honcho().__version__}")


ENV = Flag("env", "e", "FILE", "file with variables (.env)")
PROCFILE = Flag("procfile", "f", "FILE", "the Procfile (Procfile)")
LISTEN = Flag("port", "p", "PORT", f"PORT of the first process ({PORT})")
TOPIC = {
    "local": Command(
        _start, "[TYPE[=COUNT]...]", (ENV, PROCFILE, LISTEN), most=None, examples=("local", "local web=2", "local web --port 7000")
    ),
    "local:run": Command(_run, "COMMAND...", (ENV, LISTEN), most=None, loose=True, examples=("local:run bin/migrate",)),
    "local:version": Command(_version),
}
