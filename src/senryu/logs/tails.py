"""Live readers: what every log history does for `logs --tail`, wherever it keeps its lines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final
from uuid import UUID

from senryu.core import limits
from senryu.core.log_line import LogFilter, LogLine, selected, tail_overflow

# Gives matching stored lines with `seq` above the second argument, oldest first, and the seq up to which it looked (always further
# than the second argument, or the last there is). Starts with an L11 line when lines in between are no longer kept.
Past = Callable[[LogFilter, int], Awaitable[tuple[list[LogLine], int]]]

_ENDED_REMEMBERED: Final = 10_000


class _Tail:
    """One reader's queue: limits.LOG_TAIL_BUFFER_LINES lines and the batch that came last; older ones are displaced and counted."""

    def __init__(self, wanted: LogFilter) -> None:
        self.wanted = wanted
        self.batches: deque[list[LogLine]] = deque()
        self.waiting_lines = 0
        self.dropped = 0
        self.dropped_since: datetime | None = None
        self.last_dropped_seq = 0
        self.is_ended = False
        self.changed = asyncio.Event()

    def put(self, lines: Sequence[LogLine], now: datetime) -> None:
        batch = selected(lines, self.wanted)
        if not batch:
            return
        self.batches.append(batch)
        self.waiting_lines += len(batch)
        while self.waiting_lines > limits.LOG_TAIL_BUFFER_LINES and len(self.batches) > 1:
            self._displace(self.waiting_lines - limits.LOG_TAIL_BUFFER_LINES, now)
        self.changed.set()

    def _displace(self, count: int, now: datetime) -> None:
        oldest = self.batches.popleft()
        lost, kept = oldest[:count], oldest[count:]
        if kept:
            self.batches.appendleft(kept)
        self.waiting_lines -= len(lost)
        self.dropped += len(lost)
        self.last_dropped_seq = lost[-1].seq
        self.dropped_since = self.dropped_since or now

    def take(self, now: datetime) -> list[LogLine]:
        """What waits, with an L11 line where lines are missing."""
        lines = [line for batch in self.batches for line in batch]
        if self.dropped and self.dropped_since is not None:
            lines.insert(0, tail_overflow(self.dropped, since=self.dropped_since, now=now, seq=self.last_dropped_seq))
        self.batches.clear()
        self.waiting_lines = self.dropped = 0
        self.dropped_since = None
        self.changed.clear()
        return lines


class Tails:
    """The live readers of all apps. An app without readers costs nothing here."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._by_app: dict[UUID, set[_Tail]] = {}
        self._ended: dict[UUID, None] = {}

    def are_open(self, app_id: UUID) -> bool:
        """Whether anybody reads this app's stream now."""
        return app_id in self._by_app

    def publish(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
        """Gives lines just written to the app's readers. Never waits."""
        for tail in self._by_app.get(app_id, ()):
            tail.put(lines, self._now())

    def has_ended(self, app_id: UUID) -> bool:
        """Whether the app was forgotten. App ids are never used twice; the last 10,000 are remembered."""
        return app_id in self._ended

    def end(self, app_id: UUID) -> None:
        """Ends the app's readers, now and later, once they have read what waits for them."""
        self._ended[app_id] = None
        if len(self._ended) > _ENDED_REMEMBERED:
            del self._ended[next(iter(self._ended))]
        for tail in self._by_app.get(app_id, ()):
            tail.is_ended = True
            tail.changed.set()

    async def read(
        self, app_id: UUID, wanted: LogFilter, after: int, *, past: Past, last_seq: Callable[[], int]
    ) -> AsyncIterator[list[LogLine]]:
        """Lines above `after`: first from `past`, then live, none twice, none missing without an L11 line."""
        reached = min(after, last_seq())
        while last_seq() - reached > limits.LOG_TAIL_BUFFER_LINES:  # far behind: no queue yet, it would overflow meanwhile
            lines, reached = await past(wanted, reached)
            if lines:
                yield lines
        tail = _Tail(wanted)
        self._by_app.setdefault(app_id, set()).add(tail)
        try:
            if self.has_ended(app_id):
                return
            goal = last_seq()  # what is written from here on comes through the queue
            while reached < goal:
                lines, reached = await past(wanted, reached)
                lines = [line for line in lines if line.seq <= goal]
                if lines:
                    yield lines
            async with aclosing(self._live(tail)) as live:
                async for lines in live:
                    yield lines
        finally:
            self._leave(app_id, tail)

    async def _live(self, tail: _Tail) -> AsyncGenerator[list[LogLine], None]:
        while True:
            await tail.changed.wait()  # no timeout: the reader of a silent app waits for ever
            lines = tail.take(self._now())
            if lines:
                yield lines
            if tail.is_ended:
                return

    def _leave(self, app_id: UUID, tail: _Tail) -> None:
        readers = self._by_app[app_id]
        readers.discard(tail)
        if not readers:
            del self._by_app[app_id]
