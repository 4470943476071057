"""What waits for one drain: a bounded queue that never loses a line without counting it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from senryu.core import limits
from senryu.core.log_drain import is_carried, is_gap, overflow
from senryu.core.log_line import LogLine

_HEAD_CHARS: Final = 80  # what a frame has before the text, about


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a drain is: every line up to `seq` was taken by the receiver or is in the `lost` ones, `since` when the first of them went,
    that the receiver has not been told of yet."""

    seq: int
    lost: int = 0
    since: datetime | None = None

    def losing(self, count: int, since: datetime) -> Mark:
        """With so many more lost."""
        return replace(self, lost=self.lost + count, since=self.since or since) if count else self


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line, or in its place `lost` ones up to `seq`."""

    seq: int
    line: LogLine | None
    lost: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames for one request or packet. `lines` counts the app's own; an L10 may come before them."""

    frames: Sequence[bytes]
    lines: int
    tells: int

    @property
    def body(self) -> bytes:
        """The frames, joined."""
        return b"".join(self.frames)


class DrainBuffer:
    """At most `most` lines wait beside the batch under way; the oldest that waits is displaced. Pure: the time is given."""

    def __init__(self, mark: Mark, most: int = limits.DRAIN_BUFFER_LINES) -> None:
        self.mark = mark
        self.lost_ever = 0
        self._most = most
        self._read = mark.seq
        self._queue: deque[_Entry] = deque()
        self._waiting = 0
        self._under_way: list[_Entry] = []
        self._displaced: _Entry | None = None
        self.waiting_bytes = 0

    @property
    def waiting(self) -> int:
        """Lines not under way."""
        return self._waiting

    @property
    def is_full(self) -> bool:
        """Whether the next line displaces one."""
        return self._waiting >= self._most

    def put(self, lines: Sequence[LogLine], now: datetime) -> None:
        """Takes lines of the app's log in order. Numbers missing between them are counted as lost."""
        for line in lines:
            upto = line.seq if is_gap(line) else line.seq - 1
            if upto > self._read:
                self._push(_Entry(upto, None, upto - self._read, now))
                self.lost_ever += upto - self._read
            if not is_gap(line) and is_carried(line):
                self._push(_Entry(line.seq, line, 0, now))
            self._read = line.seq
            if self._waiting > self._most:
                self._displace(now)

    def shrink(self, keep: int, now: datetime) -> None:
        """Displaces all but the newest `keep` lines."""
        while self._waiting > keep:
            self._displace(now)

    def take(self, most_bytes: int, framed: Callable[[LogLine], bytes], now: datetime) -> Batch | None:
        """The next batch of about `most_bytes`, None when no line waits. It is under way until `settle` or `put_back`."""
        while self._queue and self._queue[0].line is None:
            gone = self._queue.popleft()
            self.mark = replace(self.mark.losing(gone.lost, gone.at), seq=gone.seq)
        if not self._queue:
            return None
        frames = []
        if self.mark.lost and self.mark.since is not None:
            frames.append(framed(overflow(self.mark.lost, since=self.mark.since, now=now)))
        size = 0
        while self._queue and size < most_bytes:
            line = self._queue[0].line
            if line is None:
                break  # the next batch begins with what is missing here
            frames.append(framed(line))
            size += len(frames[-1])
            self._under_way.append(self._pop())
        return Batch(frames, len(self._under_way), self.mark.lost)

    def settle(self, now: datetime, *, is_taken: bool) -> None:
        """The batch under way was taken by the receiver, with its L10; or it is lost."""
        last = self._under_way[-1].seq
        if is_taken:
            self.mark = Mark(last)
        else:
            self.mark = replace(self.mark.losing(len(self._under_way), now), seq=last)
            self.lost_ever += len(self._under_way)
        self._under_way.clear()
        gone, self._displaced = self._displaced, None
        if gone is not None:
            self.mark = replace(self.mark.losing(gone.lost, gone.at), seq=gone.seq)

    def put_back(self, now: datetime) -> None:
        """The batch under way never left; it waits again, in its place, as far as there is room."""
        if self._displaced is not None:
            self._queue.appendleft(self._displaced)
            self._displaced = None
        for entry in reversed(self._under_way):
            self._queue.appendleft(entry)
            self._count(entry, 1)
        self._under_way.clear()
        self.shrink(self._most, now)

    def _push(self, entry: _Entry) -> None:
        self._queue.append(entry)
        self._count(entry, 1)

    def _pop(self) -> _Entry:
        entry = self._queue.popleft()
        self._count(entry, -1)
        return entry

    def _count(self, entry: _Entry, sign: int) -> None:
        if entry.line is not None:
            self._waiting += sign
            self.waiting_bytes += sign * (len(entry.line.text) + _HEAD_CHARS)

    def _displace(self, now: datetime) -> None:
        """Loses the oldest waiting line, and the gaps before it."""
        is_line = False
        while self._queue and not is_line:
            entry = self._pop()
            is_line = entry.line is not None
            self.lost_ever += is_line
            gone = _Entry(entry.seq, None, entry.lost or 1, now if is_line else entry.at)
            if not self._under_way:
                self.mark = replace(self.mark.losing(gone.lost, gone.at), seq=gone.seq)
            elif self._displaced is None:
                self._displaced = gone
            else:
                self._displaced = replace(self._displaced, seq=gone.seq, lost=self._displaced.lost + gone.lost)
