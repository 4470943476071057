"""`senryu help` and `--help`."""

from __future__ import annotations

from importlib import import_module

from senryu.cli.arguments import Command, Flag, Typed
from senryu.cli.commands import ALIASES, COMMANDS, HIDDEN, find, nearest
from senryu.cli.failure import Failure
from senryu.cli.output import paint


def command_of(name: str) -> Command:
    """The command's own table entry; imports its module."""
    commands: dict[str, Command] = import_module(f"senryu.cli.{COMMANDS[name][0]}").TOPIC
    return commands[name]


def show(name: str) -> None:
    """Prints how one command is used, and the commands of its topic."""
    command = command_of(name)
    print(f"{COMMANDS[name][1]}\n")
    _section("usage", [(f"$ senryu {' '.join(filter(None, (name, '[flags]' if command.flags else '', command.args)))}", "")])
    _section("flags", [(_flag(flag), flag.help) for flag in sorted(command.flags, key=lambda flag: flag.name)])
    _section("aliases", [(f"senryu {alias}", "") for alias, target in ALIASES.items() if target == name])
    _section("examples", [(f"$ senryu {example}", "") for example in command.examples])
    _section("commands", [(other, COMMANDS[other][1]) for other in _under(name)])


def _flag(flag: Flag) -> str:
    return f"{f'-{flag.short}, ' if flag.short else '    '}--{flag.name}{f' {flag.value}' if flag.value else ''}"


def _under(name: str) -> list[str]:
    return [other for other in COMMANDS if other.startswith(f"{name}:") and other not in HIDDEN]


def _section(title: str, rows: list[tuple[str, str]]) -> None:
    if not rows:
        return
    print(paint(title.upper(), "bold"))
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        print(f"  {left.ljust(width)}  {right}".rstrip())
    print()


def overview() -> None:
    """Prints every command by topic."""
    print("Deploy, run and look after apps on your own Heroku-compatible platform\n")
    _section("usage", [("$ senryu COMMAND [flags] [arguments]", ""), ("$ senryu COMMAND --help", "")])
    short = {target: alias for alias, target in ALIASES.items() if ":" not in alias}
    rows = [(name if name not in short else f"{name} ({short[name]})", text) for name, (_, text) in COMMANDS.items() if name not in HIDDEN]
    _section("commands", rows)
    _section(
        "environment",
        [
            ("SENRYU_URL", "address of the platform (http://localhost:8080)"),
            ("SENRYU_API_KEY", "token, instead of the one in ~/.netrc"),
            ("SENRYU_APP", "app, instead of --app"),
            ("SENRYU_TLS_PORT", "port of the platform's TLS door in git remotes (8443)"),
            ("NO_COLOR", "no colours"),
        ],
    )


def _help(typed: Typed) -> None:
    if not typed.args:
        return overview()
    name = find(typed.args[0])
    if name:
        return show(name)
    topic = _under(typed.args[0])
    if not topic:
        near = nearest(typed.args[0])
        raise Failure(f"`{typed.args[0]}` is not a senryu command", hint=f"Did you mean `{near}`?" if near else "Run `senryu help`")
    return _section("commands", [(other, COMMANDS[other][1]) for other in topic])


TOPIC = {"help": Command(_help, "[COMMAND]", most=1)}
