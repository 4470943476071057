"""What the user sees: headings, tables and dates on stdout, progress on stderr, colour only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TextIO

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}


def has_colour(stream: TextIO) -> bool:
    """Whether colour may be used there: a terminal, and no NO_COLOR (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in a colour, or as it is where colour may not be used."""
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if has_colour(stream or sys.stdout) else text


def hexagon(app: str, stream: TextIO | None = None) -> str:
    """An app as Heroku users see it: `⬢ myapp`."""
    return paint(f"⬢ {app}", "magenta", stream or sys.stderr)


def say(text: str = "") -> None:
    """Prints a line of the answer."""
    print(text)


def note(text: str) -> None:
    """Prints a line that is not part of the answer."""
    sys.stdout.flush()
    print(text, file=sys.stderr)


def warn(text: str) -> None:
    """Prints a warning."""
    note(f"{paint('warning:', 'yellow', sys.stderr)} {text}")


def heading(text: str) -> None:
    """Prints `=== text` and an empty line."""
    print(f"{paint('===', 'dim')} {paint(text, 'bold')}\n")


def as_json(value: Any) -> None:
    """Prints a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def pairs(values: Mapping[str, Any]) -> None:
    """Prints `Key: value` lines, aligned; empty values are left out, lists go one a line."""
    shown = {key: value for key, value in values.items() if value is not None and value != []}
    width = max((len(key) for key in shown), default=0) + 1
    for key, value in shown.items():
        lines = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        print(f"{paint(f'{key}:', 'cyan')}{' ' * (width - len(key))}{lines[0]}")
        for line in lines[1:]:
            print(" " * (width + 1) + line)


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = ()) -> None:
    """Prints rows in columns, each line begun by a blank; `head` is set off by a rule."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not head and not cells:
        return
    full = [list(head), *cells] if head else cells
    widths = [max(len(row[column]) for row in full) for column in range(len(full[0]))]
    if head:
        print(f" {paint(_line(list(head), widths), 'bold')}")
        print(" " + "  ".join("─" * width for width in widths))
    for row in cells:
        print(f" {_line(row, widths)}")


def _line(row: list[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def ago(at: str, now_s: float | None = None) -> str:
    """An API time in the user's zone, with its age for a day: `2026/11/22 18:00:00 +0000 (~ 1m ago)`."""
    import time
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    shown = moment.astimezone().strftime("%Y/%m/%d %H:%M:%S %z")
    age_s = max(0, int((time.time() if now_s is None else now_s) - moment.timestamp()))
    if age_s < 60:
        return f"{shown} (~ {age_s}s ago)"
    if age_s < 3600:
        return f"{shown} (~ {age_s // 60}m ago)"
    return f"{shown} (~ {age_s // 3600}h ago)" if age_s < 25 * 3600 else shown


class Progress:
    """`Doing something... done` on stderr; `!` instead of `done` when the block raises.

    Setting `then` adds words after `done`; setting `done` replaces it.
    """

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self.done = "done"
        self.then = ""

    def __enter__(self) -> Progress:
        sys.stdout.flush()
        sys.stderr.write(f"{self.doing}... ")
        sys.stderr.flush()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            sys.stderr.write(f"{paint('!', 'red', sys.stderr)}\n")
        else:
            sys.stderr.write(f"{self.done}{f', {self.then}' if self.then else ''}\n")
        sys.stderr.flush()


def ask(question: str) -> str | None:
    """Asks on the terminal; None when there is nobody to ask."""
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def confirm(app: str, given: str | None, danger: str) -> None:
    """Makes sure that the app's name is typed before something is destroyed. Raises `Failure` when it is not."""
    from senryu.cli.failure import Failure

    if given is None:
        note(f"{paint('warning:', 'yellow', sys.stderr)} {danger}")
        given = ask(f"To proceed, type {app} or re-run this command with --confirm {app}\n> ")
        if given is None:
            raise Failure(f"Nobody is here to confirm this for `{app}`", hint=f"Add `--confirm {app}`")
    if given != app:
        raise Failure(f"Confirmation `{given}` does not match `{app}`, so nothing was done")
