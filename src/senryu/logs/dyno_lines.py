"""From what a dyno wrote to lines of its app's stream: each once, cleaned, in pieces, and what is left out counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

from senryu.core import limits
from senryu.core.dyno import Output
from senryu.core.log_line import LogLine, cleaned_all, delivery_error, local_overflow, split

# A dyno whose fresh output is older than this, and stays so for LAG_GRACE_S of work, writes more than the intake takes; only leaving lines
# out brings the present back. The grace lets a stopped machine or a full disk be caught up with. The newest batch is held back, not left
# out: should nothing follow it, these are the dyno's last words.
LAG_MAX_S: Final = 30.0
LAG_GRACE_S: Final = 10.0
OVERFLOW_TOLD_S: Final = 10.0
_lost = attrgetter("lost")


class DynoLines:
    """Makes the lines of one dyno. `origin` is the dyno's id."""

    def __init__(self, dyno_name: str, origin: str) -> None:
        self._process = dyno_name
        self._origin = origin
        self._position = -1
        self._resumed_at = datetime.max.replace(tzinfo=UTC)
        self._late_since: datetime | None = None
        self._dropped = 0
        self._dropped_since = self._told_at = datetime.min.replace(tzinfo=UTC)
        self._held: Sequence[Output] = ()

    @property
    def is_holding(self) -> bool:
        """Whether lines were held back that `settled` gives."""
        return bool(self._held)

    def resume(self, position: int, now: datetime) -> None:
        """Starts behind `position`, the last one stored. What was written before `now` is a backlog and never left out.

        Lines held back, or counted as left out, behind `position` will be read again.
        """
        self._position = position
        self._resumed_at = now
        self._late_since = None
        self._dropped = 0
        self._held = ()

    def lines(self, batch: Sequence[Output], now: datetime) -> list[LogLine]:
        """The lines to store for a batch, oldest first. Positions seen before are ignored."""
        seen = self._held[-1].position if self._held else self._position
        if batch and batch[0].position <= seen:
            batch = [output for output in batch if output.position > seen]
        if not batch:
            return []
        if self._is_outrun(batch, now):
            self._drop(self._held)
            self._held = batch
            is_time = now - self._told_at >= timedelta(seconds=OVERFLOW_TOLD_S)
            return self._overflow(now) if is_time else []
        lines = self.settled(now)
        self._position = batch[-1].position
        return lines + self._stored(batch, now)

    def settled(self, now: datetime) -> list[LogLine]:
        """What is to be stored when nothing has followed: an L12 line for what was left out, and the lines held back."""
        lines = self._overflow(now)
        if self._held:
            self._position = self._held[-1].position
            lines += self._stored(self._held, now)
            self._held = ()
        return lines

    def _overflow(self, now: datetime) -> list[LogLine]:
        if not self._dropped:
            return []
        line = local_overflow(self._dropped, since=self._dropped_since, now=now, origin=self._origin, position=self._position)
        self._dropped = 0
        self._told_at = now
        return [line]

    def _is_outrun(self, batch: Sequence[Output], now: datetime) -> bool:
        if batch[0].at < self._resumed_at or now - batch[-1].at <= timedelta(seconds=LAG_MAX_S):
            self._late_since = None
            return False
        self._late_since = self._late_since or now
        return now - self._late_since > timedelta(seconds=LAG_GRACE_S)

    def _drop(self, batch: Sequence[Output]) -> None:
        if not batch:
            return
        if not self._dropped:
            self._dropped_since = batch[0].at
        self._dropped += len(batch) + sum(output.lost for output in batch)
        self._position = batch[-1].position

    def _stored(self, batch: Sequence[Output], now: datetime) -> list[LogLine]:
        texts = cleaned_all([output.text for output in batch])
        process, origin = self._process, self._origin
        longest = max(map(len, texts))
        if longest * 4 <= limits.LOG_LINE_MAX_BYTES and not any(map(_lost, batch)):
            return [LogLine(output.at, "app", process, text, origin, output.position) for output, text in zip(batch, texts, strict=True)]
        lines: list[LogLine] = []
        for output, text in zip(batch, texts, strict=True):
            if output.lost:
                lines.append(delivery_error(output.lost, since=output.at, now=now, origin=origin, position=output.position))
            lines += [LogLine(output.at, "app", process, piece, origin, output.position) for piece in split(text)]
        return lines
