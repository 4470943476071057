"""One app's stream on disk: append-only segments, and a checkpoint that outlives dropped ones.

A segment is called after the `seq` of its first line, so the names alone say how many lines each holds. The checkpoint says up to where
the positions of all origins are known; what was written behind it is read again on opening.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from senryu.core import limits
from senryu.core.errors import Unavailable
from senryu.core.log_line import LogLine
from senryu.logs.record import recorded, resume_marks, whole_bytes

_CHECKPOINT: Final = "resume.json"
# More than an app can have dynos at once, so that no living dyno is forgotten; the longest silent go first.
_ORIGINS_MAX: Final = 4096


class _Checkpoint(msgspec.Struct):
    segment: int
    offset: int
    next_seq: int
    positions: dict[str, int]


@dataclass(slots=True)
class Segment:
    """A file of records: the `seq` its first line has or will have, and how long it is."""

    path: Path
    first_seq: int
    size: int


class Stream:
    """The files of one app. Not for two at a time; calls block for a write to the page cache, never for the disk itself.

    Opening cuts off what a crash tore. Nothing is created before the first line.
    """

    def __init__(self, directory: Path, *, segment_bytes: int, budget_bytes: int) -> None:
        self.directory = directory
        self.positions: dict[str, int] = {}
        self.next_seq = 1
        self._segment_bytes = segment_bytes
        self._budget_bytes = budget_bytes
        self._fd: int | None = None
        self._behind_checkpoint = 0
        self.segments = [
            Segment(path, int(path.stem), path.stat().st_size) for path in sorted(directory.glob("*.log")) if path.stem.isdigit()
        ]
        self._recover()

    def append(self, lines: Sequence[LogLine]) -> int:
        """Writes lines behind the others and gives the `seq` of the first. All of them or none.

        Raises: Unavailable when the disk does not take them.
        """
        first_seq = self.next_seq
        records = recorded(lines, first_seq)
        try:
            self._make_room(len(records))
            segment = self.segments[-1]
            self._write(self._opened(segment), records, segment.size)
        except OSError as error:
            reason = error.strerror or "the disk failed"
            raise Unavailable(f"The log lines of app {self.directory.name} cannot be kept: {reason}; free disk space.") from error
        segment.size += len(records)
        self._behind_checkpoint += len(records)
        self.next_seq += len(lines)
        for origin, position in {line.origin: line.position for line in lines if line.origin}.items():
            self._note(origin, position)
        return first_seq

    def segment_after(self, seq: int) -> tuple[Segment, int]:
        """The segment that holds the line behind `seq` (the oldest one when that is gone), and the last `seq` it has now."""
        index = max(bisect_right([segment.first_seq for segment in self.segments], seq + 1) - 1, 0)
        is_newest = index == len(self.segments) - 1
        return self.segments[index], (self.next_seq if is_newest else self.segments[index + 1].first_seq) - 1

    def checkpoint(self, *, behind_bytes: int = 1) -> None:
        """Notes all positions, when at least so many bytes were written since the last time."""
        if not self.segments or self._behind_checkpoint < behind_bytes:
            return
        newest = self.segments[-1]
        state = _Checkpoint(newest.first_seq, newest.size, self.next_seq, self.positions)
        unfinished = self.directory / f"{_CHECKPOINT}.new"
        unfinished.write_bytes(msgspec.json.encode(state))
        unfinished.replace(self.directory / _CHECKPOINT)
        self._behind_checkpoint = 0

    def close(self) -> None:
        """Lets go of the open file. The stream can be used on."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _note(self, origin: str, position: int) -> None:
        self.positions[origin] = max(position, self.positions.pop(origin, -1))
        if len(self.positions) > _ORIGINS_MAX:
            del self.positions[next(iter(self.positions))]

    def _opened(self, segment: Segment) -> int:
        if self._fd is None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._fd

    @staticmethod
    def _write(fd: int, records: bytes, size_before: int) -> None:
        view = memoryview(records)
        try:
            while view:
                view = view[os.write(fd, view) :]
        except OSError:
            os.ftruncate(fd, size_before)
            raise

    def _make_room(self, needed_bytes: int) -> None:
        newest = self.segments[-1] if self.segments else None
        if newest is not None and (newest.size == 0 or newest.size + needed_bytes <= self._segment_bytes):
            return
        self.close()
        self.segments.append(Segment(self.directory / f"{self.next_seq:020}.log", self.next_seq, 0))
        while self._may_drop_oldest():
            self.checkpoint()  # the positions in the file that goes now
            self.segments.pop(0).path.unlink(missing_ok=True)

    def _may_drop_oldest(self) -> bool:
        if sum(segment.size for segment in self.segments) <= self._budget_bytes:
            return False
        return self.next_seq - self.segments[1].first_seq >= limits.LOG_HISTORY_LINES

    def _recover(self) -> None:
        state = self._read_checkpoint()
        self.positions = state.positions
        self.next_seq = max(state.next_seq, self.segments[-1].first_seq if self.segments else 1)
        if not self.segments:
            return
        self._cut_torn(self.segments[-1])
        is_known = any(segment.first_seq == state.segment and segment.size >= state.offset for segment in self.segments)
        for segment in self.segments:
            if is_known and segment.first_seq < state.segment:
                continue
            records = segment.path.read_bytes()[state.offset if is_known and segment.first_seq == state.segment else 0 :]
            self._behind_checkpoint += len(records)
            for seq, origin, position in resume_marks(records):
                self.next_seq = max(self.next_seq, seq + 1)
                if origin:
                    self._note(origin, position)

    def _cut_torn(self, newest: Segment) -> None:
        whole = whole_bytes(newest.path.read_bytes())
        if whole < newest.size:
            os.truncate(newest.path, whole)
            newest.size = whole

    def _read_checkpoint(self) -> _Checkpoint:
        try:
            return msgspec.json.decode((self.directory / _CHECKPOINT).read_bytes(), type=_Checkpoint)
        except (FileNotFoundError, msgspec.DecodeError):
            return _Checkpoint(0, 0, 1, {})
