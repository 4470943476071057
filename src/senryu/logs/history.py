"""Logs on disk: what every app said, at least its last limits.LOG_HISTORY_LINES lines.

Promise: a line is in the kernel before `write` returns, so it survives the death of every process of ours. A power cut may take the last
SYNC_S seconds; where the dynos' own records survived it, those lines are read from them again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import structlog

from senryu.core import limits
from senryu.core.clock import Clock
from senryu.core.log_line import LogFilter, LogLine, LogReader, LogWriter, tail_overflow, tidied
from senryu.logs.record import is_same_line, newest_lines, oldest_lines
from senryu.logs.request_lines import CURSOR_STREAM
from senryu.logs.stream import Segment, Stream
from senryu.logs.tails import Tails

SEGMENT_BYTES: Final = 2 * limits.MIB
BUDGET_BYTES: Final = 8 * limits.MIB
OPEN_STREAMS: Final = 128
SYNC_S: Final = 1.0
_CHECKPOINT_BEHIND_BYTES: Final = 256 * limits.KIB
_SLICE_LINES: Final = 200  # one write(2): two megabytes at most, a segment's size
_FORGOTTEN: Final = ".forgotten-"

_log = structlog.get_logger(__name__)


class FileLogs:
    """All apps' streams below one directory; an app's are at most `budget_bytes` or its last 1,500 lines, and two segments, long.

    Used as `async with`: inside, what was written is brought to the disk every SYNC_S seconds. One process at a time.
    At most `open_streams` apps have an open file; others cost nothing until they write or are read.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock | None = None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        budget_bytes: int = BUDGET_BYTES,
        open_streams: int = OPEN_STREAMS,
    ) -> None:
        self._directory = directory
        self._now = clock.now if clock is not None else partial(datetime.now, UTC)
        self._segment_bytes = segment_bytes
        self._budget_bytes = budget_bytes
        self._open_streams = open_streams
        self._streams: OrderedDict[UUID, Stream] = OrderedDict()
        self._unsynced: set[Path] = set()
        self._tails = Tails(self._now)
        self._tasks = asyncio.TaskGroup()
        self._syncing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._directory.glob(f"{_FORGOTTEN}*"):
            await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)
        await self._tasks.__aenter__()
        self._syncing = self._tasks.create_task(self._keep_syncing(), name="logs:sync")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._syncing is not None:
            self._syncing.cancel()
        is_cancelled = isinstance(error, asyncio.CancelledError)
        # Any other error is the caller's own: a TaskGroup would wrap it into an ExceptionGroup.
        await self._tasks.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))
        while self._streams:
            self._put_away_longest_idle()
        await self._sync()

    async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
        """See LogWriter. Has no await inside: a cancelled writer has written all or nothing."""
        if not lines or self._tails.has_ended(app_id):
            return
        stream = self._stream(app_id)
        for part in _slices(tidied(lines)):
            first_seq = stream.append(part)
            self._unsynced.add(stream.segments[-1].path)
            if self._tails.are_open(app_id):
                self._tails.publish(app_id, numbered(part, first_seq))

    async def last_position(self, app_id: UUID, origin: str) -> int:
        """See LogReader."""
        return -1 if self._tails.has_ended(app_id) else self._stream(app_id).positions.get(origin, -1)

    async def history(self, app_id: UUID, wanted: LogFilter, lines: int) -> list[LogLine]:
        """See LogReader."""
        if lines <= 0 or self._tails.has_ended(app_id):
            return []
        while True:
            segments = list(self._stream(app_id).segments)
            sizes = [segment.size for segment in segments]
            try:
                return await asyncio.to_thread(_newest, segments, sizes, wanted, lines)
            except FileNotFoundError:
                if self._tails.has_ended(app_id):
                    return []  # otherwise the oldest segment was dropped meanwhile: look again

    def tail(self, app_id: UUID, wanted: LogFilter, after: int) -> AsyncIterator[list[LogLine]]:
        """See LogReader. Several at once; each has a queue of limits.LOG_TAIL_BUFFER_LINES lines."""
        return self._tails.read(app_id, wanted, after, past=partial(self._past, app_id), last_seq=partial(self._last_seq, app_id))

    async def forget(self, app_id: UUID) -> None:
        """See LogReader. Idempotent."""
        stream = self._streams.pop(app_id, None)
        if stream is not None:
            stream.close()
        self._tails.end(app_id)
        directory = self._directory / str(app_id)
        gone = self._directory / f"{_FORGOTTEN}{app_id}"
        try:
            directory.rename(gone)
        except FileNotFoundError:
            return
        await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)

    async def apps(self) -> set[UUID]:
        """See LogReader."""
        return {UUID(place.name) for place in self._directory.glob("????????-????-*")} - {CURSOR_STREAM}

    def _stream(self, app_id: UUID) -> Stream:
        stream = self._streams.get(app_id)
        if stream is not None:
            self._streams.move_to_end(app_id)
            return stream
        stream = Stream(self._directory / str(app_id), segment_bytes=self._segment_bytes, budget_bytes=self._budget_bytes)
        self._streams[app_id] = stream
        if len(self._streams) > self._open_streams:
            self._put_away_longest_idle()
        return stream

    def _put_away_longest_idle(self) -> None:
        app_id, stream = self._streams.popitem(last=False)
        try:
            stream.checkpoint()
        except OSError as error:  # only costs time when the stream is opened again
            _log.warning("log checkpoint not written", app=str(app_id), reason=error.strerror)
        stream.close()

    def _last_seq(self, app_id: UUID) -> int:
        return 0 if self._tails.has_ended(app_id) else self._stream(app_id).next_seq - 1

    async def _past(self, app_id: UUID, wanted: LogFilter, after: int) -> tuple[list[LogLine], int]:
        while True:
            last_seq = self._last_seq(app_id)
            if last_seq <= after:
                return [], after + 1
            segment, upto = self._stream(app_id).segment_after(after)
            size = segment.size
            try:
                lines = await asyncio.to_thread(_oldest, segment, size, wanted, after)
            except FileNotFoundError:
                continue  # dropped meanwhile: the next one says so
            lost = segment.first_seq - after - 1
            if lost > 0 and after > 0:
                now = self._now()
                lines.insert(0, tail_overflow(lost, since=now, now=now, seq=segment.first_seq - 1))
            return lines, upto

    async def _keep_syncing(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            try:
                await self._sync()
                for stream in self._streams.values():
                    stream.checkpoint(behind_bytes=_CHECKPOINT_BEHIND_BYTES)
            except OSError as error:
                _log.warning("logs cannot be synced", reason=error.strerror)

    async def _sync(self) -> None:
        paths, self._unsynced = self._unsynced, set()
        if paths:
            await asyncio.to_thread(_bring_to_disk, paths)


def _slices(lines: Sequence[LogLine]) -> Iterator[Sequence[LogLine]]:
    start = 0
    while start < len(lines):
        end = min(start + _SLICE_LINES, len(lines))
        while end < len(lines) and is_same_line(lines[end - 1], lines[end]):
            end += 1
        yield lines[start:end]
        start = end


def numbered(lines: Sequence[LogLine], first_seq: int) -> list[LogLine]:
    """The lines with their `seq`. Spelled out because `dataclasses.replace` costs three times as much."""
    return [
        LogLine(line.at, line.source, line.process, line.text, line.origin, line.position, seq) for seq, line in enumerate(lines, first_seq)
    ]


def _read(segment: Segment, size: int) -> bytes:
    with segment.path.open("rb") as file:
        return file.read(size)


def _newest(segments: list[Segment], sizes: list[int], wanted: LogFilter, limit: int) -> list[LogLine]:
    found: list[LogLine] = []
    for segment, size in zip(reversed(segments), reversed(sizes), strict=True):
        if size:
            found += newest_lines(_read(segment, size), wanted, limit - len(found))
        if len(found) >= limit:
            break
    found.reverse()
    return found


def _oldest(segment: Segment, size: int, wanted: LogFilter, after: int) -> list[LogLine]:
    return oldest_lines(_read(segment, size), wanted, after) if size else []


def _bring_to_disk(paths: set[Path]) -> None:
    for path in [*paths, *{path.parent for path in paths}]:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # dropped or forgotten
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


_: tuple[type[LogWriter], type[LogReader]] = (FileLogs, FileLogs)
