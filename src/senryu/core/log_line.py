"""Log lines: one ordered stream per app.

Source: https://devcenter.heroku.com/articles/logging, schema `log-session`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Final, Protocol
from uuid import UUID

from senryu.core import limits


@dataclass(frozen=True, slots=True)
class LogLine:
    """`2026-01-02T03:04:05.000000+00:00 app[web.1]: hello`.

    `source` is `app` or `heroku`; `process` what stands in brackets (`web.1`, `router`, `api`, `run.1234`); `text` without newline, at most
    limits.LOG_LINE_MAX_BYTES bytes of UTF-8, control bytes made harmless. `origin` and `position` name where it came from (a dyno's id
    and its Output.position, or the router's run) so that intake can go on exactly where it stopped; empty and 0 for lines we wrote.
    `seq` is given by the history: strictly increasing within the app.
    """

    at: datetime
    source: str
    process: str
    text: str
    origin: str = ""
    position: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a reader asked for; None means all.

    `dyno` is a dyno's name (`web.1`) or a process type (`web`); `source` is `app` or `heroku`.
    """

    source: str | None = None
    dyno: str | None = None


class LogWriter(Protocol):
    """Takes lines into the apps' streams."""

    async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
        """Appends lines in order; returns when they survive a crash of the platform's processes.

        Neighbours with the same `origin` and `position` are pieces of one line and must come in one call: after a crash all of
        them are there or none. Text that is not harmless or too long is made so. Lines for a forgotten app are ignored.
        Raises: Unavailable when they cannot be kept (disk full).
        """


class LogReader(Protocol):
    """Gives lines of the apps' streams."""

    async def last_position(self, app_id: UUID, origin: str) -> int:
        """The highest position stored for an origin, -1 for none. Where intake goes on after a crash."""

    async def history(self, app_id: UUID, wanted: LogFilter, lines: int) -> list[LogLine]:
        """The newest `lines` matching lines, oldest first."""

    def tail(self, app_id: UUID, wanted: LogFilter, after: int) -> AsyncIterator[list[LogLine]]:
        """Batches of matching lines with `seq` above `after`, until the app is forgotten.

        A reader too slow gets an L11 line that counts what it lost; so does one that asks for lines no longer kept.
        """

    async def forget(self, app_id: UUID) -> None:
        """Deletes the app's stream and ends its tails."""

    async def apps(self) -> set[UUID]:
        """Those that have a stream."""


# Colours (ECMA-48 SGR) are the one escape sequence terminals get from us; the length is bounded so that a split can step back over one.
_SGR: Final = r"\x1b\[[0-9;:]{0,32}m"
_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNCLEAN: Final = re.compile(rf"\x1b(?!\[[0-9;:]{{0,32}}m)|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_BIDI}]")
_UNCLEAN_BETWEEN_LINES: Final = re.compile(_UNCLEAN.pattern.replace(r"\x0a-", r"\x0b-"))
_TORN_SGR: Final = re.compile(r"\x1b(?:\[[0-9;:]{0,32})?\Z")
_RETURNS: Final = re.compile(r"\r+\n")
_ASCII_CONTROLS: Final = bytes([*range(0x09), *range(0x0B, 0x20), 0x7F])  # neither tab nor newline
_FORMATTED: Final = re.compile(r"(\S{32}) (app|heroku)(?:\[([^\]\s]*)\])?: (.*)", re.DOTALL)


def formatted(line: LogLine) -> str:
    """What `heroku logs` prints, without newline: `2026-01-02T03:04:05.000000+00:00 app[web.1]: text`.

    A line without a process has no brackets. Source: Dev Center, logging#log-format.
    """
    at = line.at if line.at.tzinfo is UTC else line.at.astimezone(UTC)
    process = f"[{line.process}]" if line.process else ""
    return f"{at.isoformat(timespec='microseconds')} {line.source}{process}: {line.text}"


def parsed(text: str) -> LogLine | None:
    """The line that `formatted` made this text of (without origin, position and seq); None when it is something else."""
    match = _FORMATTED.fullmatch(text)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(match[1])
    except ValueError:
        return None
    return LogLine(at, match[2], match[3] or "", match[4]) if at.tzinfo is not None else None


def _harmless(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the character's picture: NUL is shown as ␀
    return "\u2421" if code == 0x7F else "\ufffd"


def cleaned(text: bytes) -> str:
    """One written line as text that can neither break a line nor move a terminal's cursor.

    Bytes that are not UTF-8 become U+FFFD; control characters their pictures (U+2400 and up); C1 controls, line and paragraph
    separators and bidirectional controls U+FFFD. Carriage returns at the end go. Tabs and colours (SGR) stay. Idempotent.
    """
    if b"\n" not in text and _is_plain(text):
        return text.decode("ascii")
    return _UNCLEAN.sub(_harmless, text.rstrip(b"\r").decode("utf-8", "replace"))


def cleaned_all(texts: Sequence[bytes]) -> list[str]:
    """`cleaned` of each, in bulk: a batch of ordinary lines costs two passes in C."""
    joined = b"\n".join(texts)
    if joined.count(b"\n") != max(len(texts) - 1, 0):
        return [cleaned(text) for text in texts]
    if not texts:
        return []
    if _is_plain(joined):
        return joined.decode("ascii").split("\n")
    text = _RETURNS.sub("\n", joined.decode("utf-8", "replace")).rstrip("\r")
    return _UNCLEAN_BETWEEN_LINES.sub(_harmless, text).split("\n")


def _is_plain(joined: bytes) -> bool:
    return joined.isascii() and len(joined.translate(None, _ASCII_CONTROLS)) == len(joined)


def split(text: str, max_bytes: int = limits.LOG_LINE_MAX_BYTES) -> list[str]:
    """Pieces of at most `max_bytes` (100 or more) bytes of UTF-8 that join to `text`; never cut inside a character or a colour.

    Source: Dev Center, limits#logs (10,000 bytes).
    """
    if len(text) * 4 <= max_bytes:
        return [text]
    encoded = text.encode("utf-8")
    pieces: list[str] = []
    start = 0
    while len(encoded) - start > max_bytes:
        end = start + max_bytes
        while encoded[end] & 0xC0 == 0x80:
            end -= 1
        piece = encoded[start:end].decode("utf-8")
        torn = _TORN_SGR.search(piece, max(len(piece) - 40, 1))
        piece = piece[: torn.start()] if torn else piece
        pieces.append(piece)
        start += len(piece.encode("utf-8"))
    pieces.append(encoded[start:].decode("utf-8"))
    return pieces


def tidied(lines: Sequence[LogLine]) -> Sequence[LogLine]:
    """The same lines, or, when a text is not harmless or too long, lines made so. What every LogWriter does first."""
    joined = "\n".join([line.text for line in lines])
    if joined.count("\n") == len(lines) - 1 and (
        (joined.isascii() and _is_plain(joined.encode("ascii"))) or _UNCLEAN_BETWEEN_LINES.search(joined) is None
    ):
        if len(joined) * 4 <= limits.LOG_LINE_MAX_BYTES or max(len(line.text) for line in lines) * 4 <= limits.LOG_LINE_MAX_BYTES:
            return lines
        return [piece for line in lines for piece in _pieces(line, line.text)]
    return [piece for line in lines for text in line.text.split("\n") for piece in _pieces(line, cleaned(text.encode("utf-8", "replace")))]


def _pieces(line: LogLine, text: str) -> list[LogLine]:
    texts = split(text)
    return [line] if texts == [line.text] else [replace(line, text=piece) for piece in texts]


def matches(line: LogLine, wanted: LogFilter) -> bool:
    """Whether a reader asked for this line. `web.1` is in `heroku[web.1]` and `app[web.1]`; `web` is in both of every web dyno."""
    return is_wanted(line.source, line.process, wanted)


def is_wanted(source: str, process: str, wanted: LogFilter) -> bool:
    """`matches` for the two fields that decide it."""
    if wanted.source is not None and wanted.source != source:
        return False
    return wanted.dyno is None or process == wanted.dyno or process.partition(".")[0] == wanted.dyno


def selected(lines: Sequence[LogLine], wanted: LogFilter) -> list[LogLine]:
    """The lines a reader asked for, in order; neighbours of one process are judged once."""
    if wanted.source is None and wanted.dyno is None:
        return list(lines)
    runs = groupby(lines, attrgetter("source", "process"))
    return [line for (source, process), run in runs if is_wanted(source, process, wanted) for line in run]


def tail_overflow(count: int, *, since: datetime, now: datetime, seq: int) -> LogLine:
    """L11: a reader of `logs --tail` was too slow. `seq` is that of the last line lost, so that a resumed reader goes on behind it."""
    since_text = since.astimezone(UTC).isoformat(timespec="seconds")
    text = f"Error L11 (Tail buffer overflow) -> This tail session dropped {count} messages since {since_text}."
    return LogLine(now, "heroku", "logplex", text, seq=seq)


def local_overflow(count: int, *, since: datetime, now: datetime, origin: str, position: int) -> LogLine:
    """L12: a dyno wrote faster than the intake took. `position` is that of the last line dropped."""
    text = f"Error L12: {count} messages dropped since {since.astimezone(UTC).isoformat(timespec='microseconds')}."
    return LogLine(now, "app", "log-shuttle", text, origin, position)


def delivery_error(count: int, *, since: datetime, now: datetime, origin: str, position: int) -> LogLine:
    """L13: lines were gone before the intake could read them. `position` is that of the line behind the gap."""
    text = f"Error L13: {count} messages lost since {since.astimezone(UTC).isoformat(timespec='microseconds')}."
    return LogLine(now, "app", "log-shuttle", text, origin, position)
