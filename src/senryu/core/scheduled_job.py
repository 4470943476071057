"""Jobs of the scheduler: commands run every ten minutes, every hour or every day, in UTC, as one-off dynos.

Source: https://devcenter.heroku.com/articles/scheduler. A run lasts no longer than until its job is due again; a run may be missed, and is
not made up for: ours is run late when the platform was away for a moment only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from .dyno import Dyno, DynoKind, DynoState
from .errors import Invalid
from .limits import SCHEDULER_LATE_MAX_S

PROCESS_TYPE = "scheduler"
SERVICE_NAME = "scheduler"
ACTOR = "scheduler@addons.heroku.com"  # whom Heroku's log names
_MINUTE = re.compile(r"^:([0-5]\d)\Z")
_TIME = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)\Z")


class Every(StrEnum):
    """How often, spelled as the API spells it."""

    TEN_MINUTES = "10 minutes"
    HOUR = "hour"
    DAY = "day"

    @property
    def interval(self) -> timedelta:
        """From one due time to the next."""
        return _INTERVALS[self]


_INTERVALS = {
    Every.TEN_MINUTES: timedelta(minutes=10),
    Every.HOUR: timedelta(hours=1),
    Every.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job is due: `at` is minutes past the hour or past midnight UTC, 0 for every ten minutes."""

    every: Every
    at: int = 0

    @property
    def shown_at(self) -> str | None:
        """`:05`, `03:30`, or None for every ten minutes."""
        if self.every is Every.TEN_MINUTES:
            return None
        return f":{self.at:02}" if self.every is Every.HOUR else f"{self.at // 60:02}:{self.at % 60:02}"

    def last_due(self, now: datetime) -> datetime:
        """The latest due time that is not after `now`."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight + timedelta(minutes=self.at) - timedelta(days=1)
        return first + (now - first) // self.every.interval * self.every.interval

    def next_due(self, now: datetime) -> datetime:
        """The earliest due time after `now`."""
        return self.last_due(now) + self.every.interval


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job. `due_at` is when it is due next: kept, so that a due time is claimed once.

    `size` None is the app's usual one; `last_due_at` is the due time claimed last, `last_outcome` what became of it, `last_dyno_id` who
    ran last.
    """

    id: UUID
    add_on_id: UUID
    app_id: UUID
    command: str
    schedule: Schedule
    size: str | None
    due_at: datetime
    created_at: datetime
    updated_at: datetime
    last_due_at: datetime | None = None
    last_dyno_id: UUID | None = None
    last_outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The job is to be run, for the due time `due_at`; `missed` due times before it are not made up for."""

    due_at: datetime
    missed: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The last due time, `due_at`, is too long ago: with it `missed` due times are not made up for."""

    due_at: datetime
    missed: int


@dataclass(frozen=True, slots=True)
class Rewind:
    """The wall clock was far ahead when the next due time was kept: it is to be reckoned anew."""


def late_max(every: Every) -> timedelta:
    """How late a job is run after all: half its interval, and at most limits.SCHEDULER_LATE_MAX_S."""
    return min(every.interval / 2, timedelta(seconds=SCHEDULER_LATE_MAX_S))


def decided(schedule: Schedule, due_at: datetime, now: datetime) -> Run | Skip | Rewind | None:
    """What is to be done with a job now that is due at `due_at`; None: it is not due. At most one run, however far the clock jumped.

    A clock that went back a little comes to `due_at` again by itself; nothing that was claimed is run twice for it.
    """
    if due_at > now:
        return Rewind() if due_at - now > 2 * schedule.every.interval else None
    last = max(schedule.last_due(now), due_at)
    passed = (last - due_at) // schedule.every.interval
    if now - last <= late_max(schedule.every):
        return Run(last, passed)
    return Skip(last, passed + 1)


def is_started_from_record(dyno: Dyno, now: datetime) -> bool:
    """Whether supervise starts a dyno that is recorded and not there: the formation's, and scheduled runs that are not too late by now."""
    if dyno.state is not DynoState.STARTING or dyno.kind is DynoKind.FORMATION:
        return dyno.state is DynoState.STARTING
    is_run = dyno.kind is DynoKind.ONE_OFF and dyno.type == PROCESS_TYPE and dyno.retiring is None and dyno.stopped_at is None
    is_late = now - dyno.created_at > timedelta(seconds=SCHEDULER_LATE_MAX_S) or (dyno.expires_at is not None and now >= dyno.expires_at)
    return is_run and not is_late


def parsed(every: str | None, at: str | None) -> Schedule:
    """A schedule from what a user says: `10 minutes`; `hour` and `:05`; `day` and `03:30` (UTC). Raises: Invalid."""
    try:
        how_often = Every(every or "")
    except ValueError:
        raise Invalid(f"`every` is `{(every or '')[:40]}`; use {', '.join(each.value for each in Every)}.") from None
    if how_often is Every.TEN_MINUTES:
        if at:
            raise Invalid("`at` is for jobs run every hour or every day; leave it out.")
        return Schedule(how_often)
    form = _MINUTE if how_often is Every.HOUR else _TIME
    found = form.match(at or (":00" if how_often is Every.HOUR else "00:00"))
    if found is None:
        example = ":05, five minutes past" if how_often is Every.HOUR else "03:30, in UTC"
        raise Invalid(f"`at` is `{(at or '')[:40]}`; for every {how_often.value} use a time such as {example}.")
    numbers = [int(part) for part in found.groups()]
    return Schedule(how_often, numbers[0] if how_often is Every.HOUR else numbers[0] * 60 + numbers[1])


def told_skip(skip: Run | Skip) -> str:
    """What the log says of due times that are not made up for."""
    times = "1 run" if skip.missed == 1 else f"{skip.missed} runs"
    last = "" if isinstance(skip, Run) else f", the last due at {skip.due_at:%Y-%m-%d %H:%M} UTC"
    return f"{times} missed while the platform was away{last}"
