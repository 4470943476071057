"""run, run:detached, run:inside, ps:exec.

Source: https://devcenter.heroku.com/articles/one-off-dynos, https://devcenter.heroku.com/articles/exec
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

from senryu.cli import exit_status, rendezvous, terminal
from senryu.cli.arguments import AN_APP, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, hexagon, say
from senryu.cli.platform_api import PlatformApi, path_of, tls_context
from senryu.cli.remotes import app_for


def command_line(words: list[str]) -> str:
    """One word as it is; several joined, with quotes round those that have blanks or quotes (as Heroku's CLI does)."""
    if len(words) == 1:
        return words[0]
    return " ".join('"' + word.replace('"', '\\"') + '"' if " " in word or '"' in word else word for word in words)


def environment(given: list[str], is_terminal: bool) -> dict[str, Any]:
    """`--env "A=1;B=2"` and what a terminal needs. Raises `Failure` for a part without `=`."""
    values: dict[str, Any] = {}
    if is_terminal:
        columns, lines = terminal.size()
        values = {"TERM": os.environ.get("TERM", "xterm"), "COLUMNS": columns, "LINES": lines}
    for part in filter(None, ";".join(given).split(";")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise Failure(f"`--env` takes `KEY=value`, not `{part}`", hint='Separate several with a semicolon: `--env "A=1;B=2"`')
        values[key] = value
    return values


def _run(typed: Typed) -> int:
    app = app_for(typed)
    if not typed.args:
        raise Failure("What is to be run?", hint="For example: `senryu run bash`")
    extra = {"size": typed.text("size"), "type": typed.text("type")}
    return _attached(typed, app, ("dynos",), command_line(typed.args), {key: value for key, value in extra.items() if value})


def _exec(typed: Typed) -> int:
    dyno = typed.text("dyno") or "web.1"
    command = command_line(typed.args) if typed.args else "bash"
    return _attached(typed, app_for(typed), ("dynos", dyno), command, {}, tells=bool(typed.args))  # as SSH does, which it is at Heroku


def _inside(typed: Typed) -> int:
    if len(typed.args) < 2:
        raise Failure("`senryu run:inside` needs DYNO and COMMAND", hint="For example: `senryu run:inside web.1 bash`")
    return _attached(typed, app_for(typed), ("dynos", typed.args[0]), command_line(typed.args[1:]), {})


def _attached(typed: Typed, app: str, path: tuple[str, ...], command: str, extra: dict[str, Any], *, tells: bool = False) -> int:
    """Starts the command, attaches, and gives its exit status if it `tells` it or was asked to (else 0)."""
    tells = tells or typed.on("exit-code")
    is_terminal = terminal.is_terminal() and not typed.on("no-tty")
    body: dict[str, Any] = {"attach": True, "env": environment(typed.texts("env"), is_terminal), **extra}
    if not is_terminal:
        body |= {"force_no_tty": True, "stdin": "framed"}
    with PlatformApi() as api, ExitStack() as stack:
        authority = api.certificate_authority()
        # A platform without a certificate authority of its own is not ours, and knows no `exit_code`;
        # and inside a dyno it would be the dyno's.
        is_marked = tells and (authority is None or len(path) > 1)
        body["command"] = exit_status.marked(command) if is_marked else command
        with Progress(f"Running {command} on {hexagon(app)}") as progress:
            dyno = api.post(path_of("apps", app, *path), body)
            sock = stack.enter_context(rendezvous.dial(dyno["attach_url"], tls_context(authority)))
            first = rendezvous.await_dyno(sock)
            progress.done = f"up, {dyno['name']}" + (f" ({dyno['size']})" if dyno.get("size") else "")
        is_framed = dyno.get("stdin") == "framed" and not is_terminal
        output = exit_status.Output(is_marked=is_marked, drops_cr=not is_terminal and not is_framed)
        stream = rendezvous.Stream(sock, is_terminal=is_terminal, is_framed=is_framed, on_output=output)
        _copy(stream, first, app, dyno)
        if not tells:
            return 0
        return output.status if output.status is not None else exit_status.reported(api, app, dyno["name"])


def _copy(stream: rendezvous.Stream, first: bytes, app: str, dyno: dict[str, Any]) -> None:
    """Copies until the end; a terminal is raw meanwhile and its size is passed on."""
    with ExitStack() as stack:
        if stream.is_terminal:
            stack.enter_context(terminal.size_watch(lambda columns, lines: _resize(app, dyno, columns, lines)))
            stack.enter_context(terminal.raw())
        stream.copy(first)


def _resize(app: str, dyno: dict[str, Any], columns: int, lines: int) -> None:
    """Tells the dyno's terminal its size. A connection of its own, because another thread waits on the first one."""
    body = {"columns": columns, "lines": lines}
    if dyno.get("terminal_id"):
        body["terminal_id"] = dyno["terminal_id"]
    try:
        with PlatformApi() as api:
            api.post(path_of("apps", app, "dynos", dyno["name"], "actions", "resize"), body)
    except Failure:
        pass  # a window of the old size is better than a torn screen


def _detached(typed: Typed) -> None:
    app = app_for(typed)
    if not typed.args:
        raise Failure("What is to be run?", hint="For example: `senryu run:detached rake db:migrate`")
    extra = {"size": typed.text("size"), "type": typed.text("type")}
    body = {"attach": False, "command": command_line(typed.args), "env": environment(typed.texts("env"), False)}
    body |= {key: value for key, value in extra.items() if value}
    with PlatformApi() as api, Progress(f"Running {body['command']} on {hexagon(app)}") as progress:
        dyno = api.post(path_of("apps", app, "dynos"), body)
        progress.then = dyno["name"]
    say(f"Run senryu logs --app {app} --dyno {dyno['name']} to view the output.")


EXIT_CODE = Flag("exit-code", "x", "", "end with the exit status of the command")
ENV = Flag("env", "e", "ENV", 'variables for this run: "A=1;B=2"', many=True)
NO_TTY = Flag("no-tty", "", "", "use no terminal even though there is one")
SIZE = Flag("size", "s", "SIZE", "size of the dyno")
TYPE = Flag("type", "", "TYPE", "process type of the dyno")
TOPIC = {
    "run": Command(
        _run, "COMMAND...", (*AN_APP, EXIT_CODE, ENV, NO_TTY, SIZE, TYPE), most=None, loose=True,
        examples=("run bash", "run --exit-code -- rake test --verbose", "run --size standard-2x rails console"),
    ),
    "run:detached": Command(
        _detached, "COMMAND...", (*AN_APP, ENV, SIZE, TYPE), most=None, loose=True, examples=("run:detached ls",)
    ),
    "run:inside": Command(
        _inside, "DYNO COMMAND...", (*AN_APP, EXIT_CODE, ENV, NO_TTY), most=None, loose=True, examples=("run:inside web.1 bash",)
    ),
    "ps:exec": Command(
        _exec, "[-- COMMAND...]", (*AN_APP, Flag("dyno", "d", "DYNO", "the dyno (web.1)"), EXIT_CODE, ENV, NO_TTY),
        most=None, loose=True, examples=("ps:exec --dyno web.2", "ps:exec -d web.1 -- ps aux"),
    ),
}  # fmt: skip
