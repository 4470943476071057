"""Backups, restores and copies of databases; when scheduled ones are due; which are kept.

Source: https://devcenter.heroku.com/articles/heroku-postgres-backups; wire contract 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from uuid import UUID

from .errors import Invalid

LINES_KEPT = 200
_LINE_MAX_CHARS = 500
_IGNORED = re.compile(r"errors ignored on restore: (\d+)")
_ID = re.compile(r"^[abcr]?0*(\d{1,9})\Z")


class TransferKind(StrEnum):
    """What a transfer does."""

    BACKUP = "backup"
    RESTORE = "restore"
    COPY = "copy"
    FORK = "fork"  # a copy into a database that is there for it alone


@dataclass(frozen=True, slots=True)
class Transfer:
    """One backup, restore or copy. `num` counts those of an app; `from_id` and `to_id` are add-ons; `source` says where a restore is from.

    `lines` are `(time, text)` of what the program said, the newest LINES_KEPT. Bytes are those of the archive, and of the database.
    """

    id: UUID
    app_id: UUID
    num: int
    kind: TransferKind
    from_name: str
    to_name: str
    created_at: datetime
    from_id: UUID | None = None
    to_id: UUID | None = None
    source: str = ""
    schedule: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    canceled_at: datetime | None = None
    succeeded: bool = False
    warnings: int = 0
    processed_bytes: int = 0
    source_bytes: int = 0
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Where its archive is in the blob store."""
        return f"backups/{self.id}.dump"

    @property
    def name(self) -> str:
        """`b001`; `a001` for a scheduled one, `r…` for a restore, `c…` for a copy."""
        plain = "a" if self.schedule else "b"
        return f"{ {TransferKind.BACKUP: plain, TransferKind.RESTORE: 'r'}.get(self.kind, 'c') }{self.num:03d}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A database's daily backup at a full hour of a time zone. `name` is the config var it was asked for by; next at `due_at`."""

    id: UUID
    add_on_id: UUID
    name: str
    hour: int
    timezone: str
    due_at: datetime
    created_at: datetime


def number_of(text: str) -> int:
    """`b012`, `012` or `12` → 12. Raises: Invalid."""
    found = _ID.match(text)
    if found is None:
        raise Invalid(f"`{text[:40]}` is no backup; `pg:backups` lists them.")
    return int(found[1])


def next_run(hour: int, zone: tzinfo, after: datetime) -> datetime:
    """The first moment after `after` when it is `hour` o'clock there; in the night without that hour, as much later as clocks jump."""
    day = after.astimezone(zone).replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    for days in range(3):
        found = (day + timedelta(days=days)).astimezone(after.tzinfo)
        if found > after:
            return found
    raise AssertionError("no day is longer than 48 hours")


def warnings_in(text: str) -> int:
    """How many statements of an archive pg_restore could not carry out, as its last words say."""
    found = _IGNORED.findall(text)
    return int(found[-1]) if found else 0


def heard(lines: Sequence[tuple[str, str]], now: str, said: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The newest lines with what was said now behind them, each cut to a bearable length."""
    fresh = [(now, line[:_LINE_MAX_CHARS]) for line in said if line.strip()]
    return tuple([*lines, *fresh][-LINES_KEPT:])


def superfluous(backups: Iterable[Transfer], limits: Mapping[str, int]) -> list[Transfer]:
    """Which of one database's backups are beyond its plan: `manual_backups`, and scheduled ones of so many days and weeks.

    A backup under way counts for nothing; failed ones count as what they are kept as: the newest only.
    """
    done = sorted((each for each in backups if each.finished_at), key=lambda each: each.created_at, reverse=True)
    good = [each for each in done if each.succeeded]
    manual, scheduled = [each for each in good if not each.schedule], [each for each in good if each.schedule]
    kept = {each.id for each in manual[: limits["manual_backups"]]}
    for period, most in (("%Y-%j", limits["daily_backups"]), ("%G-%V", limits["weekly_backups"])):
        newest: dict[str, UUID] = {}
        for each in scheduled:
            newest.setdefault(each.created_at.strftime(period), each.id)
        kept |= set(list(newest.values())[:most])
    kept |= {each.id for each in done if not each.succeeded and (not good or each.created_at > good[0].created_at)}
    return [each for each in done if each.id not in kept]
