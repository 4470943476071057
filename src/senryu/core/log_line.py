"""Log lines: one ordered stream per app.

Source: https://devcenter.heroku.com/articles/logging, schema `log-session`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


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
    """What a reader asked for. `dyno` is a dyno's name (`web.1`) or a process type (`web`); `source` is `app` or `heroku`; None means all."""

    source: str | None = None
    dyno: str | None = None


class LogWriter(Protocol):
    """Takes lines into the apps' streams."""

    async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
        """Appends lines in order; returns when they survive a crash of the platform's processes."""


class LogReader(Protocol):
    """Gives lines of the apps' streams."""

    async def last_position(self, app_id: UUID, origin: str) -> int:
        """The highest position stored for an origin, -1 for none. Where intake goes on after a crash."""

    async def history(self, app_id: UUID, wanted: LogFilter, lines: int) -> list[LogLine]:
        """The newest `lines` matching lines, oldest first."""

    def tail(self, app_id: UUID, wanted: LogFilter, after: int) -> AsyncIterator[list[LogLine]]:
        """Batches of matching lines with `seq` above `after`, for ever. A reader too slow gets an L11 line that counts what it lost."""

    async def forget(self, app_id: UUID) -> None:
        """Deletes the app's stream."""
