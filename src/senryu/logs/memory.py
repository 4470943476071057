"""Logs in memory, for stories: the same contract as the real ones, nothing survives."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from senryu.core import limits
from senryu.core.clock import Clock
from senryu.core.log_line import LogFilter, LogLine, LogReader, LogWriter, selected, tail_overflow, tidied
from senryu.logs.request_lines import CURSOR_STREAM
from senryu.logs.tails import Tails


@dataclass(slots=True)
class _Stream:
    lines: deque[LogLine] = field(default_factory=partial(deque, maxlen=limits.LOG_HISTORY_LINES))
    positions: dict[str, int] = field(default_factory=dict)
    last_seq: int = 0


class MemoryLogs:
    """The last limits.LOG_HISTORY_LINES lines of each app."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._now = clock.now if clock is not None else partial(datetime.now, UTC)
        self._streams: dict[UUID, _Stream] = {}
        self._tails = Tails(self._now)

    async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
        """See LogWriter."""
        if not lines or self._tails.has_ended(app_id):
            return
        stream = self._streams.setdefault(app_id, _Stream())
        kept = [
            LogLine(line.at.astimezone(UTC), line.source, line.process, line.text, line.origin, line.position, seq)
            for seq, line in enumerate(tidied(lines), stream.last_seq + 1)
        ]
        stream.lines.extend(kept)
        stream.last_seq = kept[-1].seq
        for line in kept:
            if line.origin:
                stream.positions[line.origin] = max(line.position, stream.positions.get(line.origin, -1))
        self._tails.publish(app_id, kept)

    async def last_position(self, app_id: UUID, origin: str) -> int:
        """See LogReader."""
        return self._seen(app_id).positions.get(origin, -1)

    async def history(self, app_id: UUID, wanted: LogFilter, lines: int) -> list[LogLine]:
        """See LogReader."""
        return selected(list(self._seen(app_id).lines), wanted)[-lines:] if lines > 0 else []

    def tail(self, app_id: UUID, wanted: LogFilter, after: int) -> AsyncIterator[list[LogLine]]:
        """See LogReader."""
        return self._tails.read(app_id, wanted, after, past=partial(self._past, app_id), last_seq=lambda: self._seen(app_id).last_seq)

    async def forget(self, app_id: UUID) -> None:
        """See LogReader."""
        self._streams.pop(app_id, None)
        self._tails.end(app_id)

    async def apps(self) -> set[UUID]:
        """See LogReader."""
        return self._streams.keys() - {CURSOR_STREAM}

    def _seen(self, app_id: UUID) -> _Stream:
        return self._streams.get(app_id) or _Stream()

    async def _past(self, app_id: UUID, wanted: LogFilter, after: int) -> tuple[list[LogLine], int]:
        stream = self._seen(app_id)
        lines = selected([line for line in stream.lines if line.seq > after], wanted)
        first_seq = stream.last_seq - len(stream.lines) + 1
        if 0 < after < first_seq - 1:
            now = self._now()
            lines.insert(0, tail_overflow(first_seq - after - 1, since=now, now=now, seq=first_seq - 1))
        return lines, max(stream.last_seq, after + 1)


_: tuple[type[LogWriter], type[LogReader]] = (MemoryLogs, MemoryLogs)
