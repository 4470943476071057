"""`senryu`, the command line: Heroku's command names over the Platform API.

Exit status: 0 done; 1 wrong usage or a fault on this machine; 2 the platform said no or cannot be reached;
100 not logged in (`auth:whoami`); 130 interrupted; `run --exit-code` gives the command's own status.
"""

from __future__ import annotations

import sys

from senryu.cli.failure import INTERRUPTED, USAGE, Failure, Refusal


def main(argv: list[str] | None = None) -> int:
    """Runs one command line (without the program's name). Gives the exit status; never raises."""
    words = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 must not turn a hexagon into a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = _run(words)
        sys.stdout.flush()
        return status
    except Failure as failure:
        return _say(failure)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 141
    except Exception as error:
        return _say_bug(error)


def _run(words: list[str]) -> int:
    from importlib import import_module

    from senryu.cli import arguments, commands

    if not words or words[0] in ("--help", "-h"):
        words = ["help"]
    if words[0] in ("--version", "-v"):
        words = ["version"]
    name = commands.find(words[0])
    if name is None:
        raise _unknown(words[0])
    command: arguments.Command = import_module(f"senryu.cli.{commands.COMMANDS[name][0]}").TOPIC[name]
    if arguments.wants_help(command, words[1:]):
        from senryu.cli.help import show

        show(name)
        return 0
    return command.run(arguments.parse(name, command, words[1:])) or 0


def _unknown(name: str) -> Failure:
    from senryu.cli.commands import nearest

    near = nearest(name)
    meant = f"Did you mean `senryu {near}`? " if near else ""
    return Failure(f"`{name}` is not a senryu command", hint=f"{meant}Run `senryu help` to see all commands")


def _say(failure: Failure) -> int:
    from senryu.cli.output import paint

    sys.stdout.flush()
    lines = failure.message.splitlines() or [""]
    sys.stderr.write(f"{paint('error:', 'red', sys.stderr)} {lines[0]}\n")
    for line in lines[1:]:
        sys.stderr.write(f"  {line}\n")
    if isinstance(failure, Refusal) and failure.id:
        sys.stderr.write(f"  Error ID: {failure.id}\n")
    if failure.hint:
        sys.stderr.write(f"{paint('hint:', 'cyan', sys.stderr)} {failure.hint}\n")
    return failure.status


def _say_bug(error: Exception) -> int:
    import os

    if os.environ.get("SENRYU_DEBUG"):
        import traceback

        traceback.print_exception(error)
        return USAGE
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        return _say(Failure(f"This machine refused: {error.strerror or error}" + _about(error)))
    return _say(Failure(f"senryu hit a bug ({what})", hint="Set SENRYU_DEBUG=1 and run it again to see where"))


def _about(error: OSError) -> str:
    return f" (`{error.filename}`)" if error.filename else ""


def _silence_stdout() -> None:
    """Points stdout at nothing, so that the interpreter's last flush does not complain about the closed pipe."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    os.close(null)
