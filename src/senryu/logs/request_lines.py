"""From finished requests to `heroku[router]` lines, each in its own app's stream and once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from senryu.core.clock import Clock
from senryu.core.log_line import LogLine, LogReader, LogWriter, cleaned
from senryu.core.route import RequestLine

# A stream of no app: holds up to where requests of all apps are stored. It may lag behind; the apps' own positions tell repeats.
CURSOR_STREAM: Final = UUID(int=0)
_CURSOR_S: Final = 1.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = structlog.get_logger(__name__)


class RequestLines:
    """Stores the requests of one run of the router. `text` makes a line's words of a request."""

    def __init__(self, origin: str, text: Callable[[RequestLine], str], writer: LogWriter, reader: LogReader, clock: Clock) -> None:
        self._origin = origin
        self._text = text
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._stored: dict[UUID, int] = {}
        self._cursor_at = -math.inf

    async def cursor(self) -> int:
        """The position up to which the requests of every app are stored, -1 for none."""
        return await self._reader.last_position(CURSOR_STREAM, self._origin)

    async def store(self, batch: Sequence[RequestLine]) -> None:
        """Writes each app's requests; those stored before are ignored, and those that reached no app have no log."""
        by_app: dict[UUID, list[RequestLine]] = {}
        for request in batch:
            if request.app_id is not None:
                by_app.setdefault(request.app_id, []).append(request)
        for app_id, requests in by_app.items():
            await self._store_one(app_id, requests)
        if batch and self._clock.monotonic() - self._cursor_at >= _CURSOR_S:
            self._cursor_at = self._clock.monotonic()
            position = max(request.position for request in batch)
            line = LogLine(self._clock.now(), "heroku", "router", "requests stored", self._origin, position)
            await self._writer.write(CURSOR_STREAM, [line])

    async def _store_one(self, app_id: UUID, requests: Sequence[RequestLine]) -> None:
        stored = self._stored.get(app_id)
        if stored is None:
            stored = await self._reader.last_position(app_id, self._origin)
        lines = [line for request in requests if request.position > stored for line in self._line(request)]
        if lines:
            await self._writer.write(app_id, lines)
        self._stored[app_id] = max(stored, requests[-1].position)

    def _line(self, request: RequestLine) -> list[LogLine]:
        try:
            text = cleaned(self._text(request).encode("utf-8", "replace"))
        except Exception:  # one request that cannot be said must not stop all others
            _log.exception("request left out of the log", request_id=request.request_id)
            return []
        at = _EPOCH + timedelta(milliseconds=request.at_ms)
        return [LogLine(at, "heroku", "router", text, self._origin, request.position)]
