"""When backups are due, which are kept, what of an archive is restored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from senryu.core.archive import restorable
from senryu.core.errors import Invalid
from senryu.core.transfer import LINES_KEPT, Transfer, TransferKind, heard, next_run, number_of, superfluous, warnings_in

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
LIMITS = {"manual_backups": 2, "daily_backups": 7, "weekly_backups": 4}
_CONTENTS = """;
; Archive created at 2026-01-01
;     dbname: d0
2; 2615 2200 SCHEMA - public u1
3; 2615 16390 SCHEMA - heroku_ext u1
4; 2615 16391 SCHEMA - mine u1
5; 3079 16392 EXTENSION - pg_stat_statements
3400; 0 0 COMMENT - EXTENSION pg_stat_statements
6; 3079 16393 EXTENSION - citext
214; 1259 16400 TABLE public SCHEMA - public u1
215; 1259 16401 TABLE public pictures u1
3401; 6100 16500 SUBSCRIPTION - spy u1
3402; 3466 16501 EVENT TRIGGER - spy u1
"""


def _backup(age: timedelta, *, schedule: str | None = None, succeeded: bool = True, finished: bool = True) -> Transfer:
    at = NOW - age
    ended = at if finished else None
    return Transfer(
        uuid4(), uuid4(), 1, TransferKind.BACKUP, "DATABASE", "", at, schedule=schedule, finished_at=ended, succeeded=succeeded and finished
    )


@pytest.mark.parametrize(
    ("zone", "hour", "after", "due"),
    [
        ("UTC", 2, "2026-01-31T01:59:59", "2026-01-31T02:00:00"),
        ("UTC", 2, "2026-01-31T02:00:00", "2026-02-01T02:00:00"),
        ("Europe/Berlin", 2, "2026-01-31T00:30:00", "2026-01-31T01:00:00"),
        ("Europe/Berlin", 2, "2026-03-28T23:00:00", "2026-03-29T01:00:00"),  # clocks jump from 2 to 3 o'clock
        ("Europe/Berlin", 2, "2026-10-24T23:00:00", "2026-10-25T00:00:00"),  # 2 o'clock comes twice: the first
        ("America/Los_Angeles", 23, "2026-06-01T07:00:00", "2026-06-02T06:00:00"),
    ],
)
def test_a_schedule_is_due_at_its_hour_where_it_is(zone: str, hour: int, after: str, due: str) -> None:
    found = next_run(hour, ZoneInfo(zone), datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_each_day_of_a_year_has_one_backup() -> None:
    zone, at = ZoneInfo("Europe/Berlin"), datetime(2026, 1, 1, tzinfo=UTC)
    days = []
    for _ in range(365):
        at = next_run(2, zone, at)
        days.append(at.astimezone(zone).date())
    assert len(set(days)) == 365 and days == sorted(days)


def test_the_newest_made_by_hand_and_days_and_weeks_by_schedule_are_kept() -> None:
    manual = [_backup(timedelta(hours=hours)) for hours in (1, 2, 3, 4)]
    daily = [_backup(timedelta(days=days), schedule="DATABASE_URL") for days in range(60)]
    gone = superfluous([*daily, *manual], LIMITS)
    assert [each for each in manual if each in gone] == manual[2:]
    kept = [each for each in daily if each not in gone]
    assert kept[:7] == daily[:7]
    weeks = {each.created_at.strftime("%G-%V") for each in kept}
    assert len(weeks) == 4 and len(kept) <= 7 + 4


def test_what_is_under_way_is_kept_and_what_failed_goes_with_the_next_that_did_not() -> None:
    running, failed = _backup(timedelta(0), finished=False), _backup(timedelta(hours=2), succeeded=False)
    assert superfluous([running, failed], LIMITS) == []
    assert superfluous([running, failed, _backup(timedelta(hours=1))], LIMITS) == [failed]


def test_an_archives_entries_are_the_tenants_own() -> None:
    kept = restorable(_CONTENTS)
    assert "SCHEMA - mine" in kept and "EXTENSION - citext" in kept and "TABLE public pictures" in kept
    assert "TABLE public SCHEMA - public" in kept  # a table of an odd name
    for unwanted in ("2; 2615", "3; 2615", "5; 3079", "3400;", "SUBSCRIPTION", "EVENT TRIGGER"):
        assert unwanted not in kept


def test_names_and_numbers() -> None:
    backup = replace(_backup(timedelta(0)), num=7)
    assert [backup.name, replace(backup, schedule="X").name] == ["b007", "a007"]
    assert [replace(backup, kind=kind).name for kind in (TransferKind.RESTORE, TransferKind.COPY, TransferKind.FORK)] == [
        "r007",
        "c007",
        "c007",
    ]
    assert [number_of(text) for text in ("b007", "a12", "7", "r1000")] == [7, 12, 7, 1000]
    for wrong in ("", "x7", "b", "7 or 1", "b-1"):
        with pytest.raises(Invalid):
            number_of(wrong)


def test_words_are_bounded_and_warnings_counted() -> None:
    lines = heard((), "now", [f"line {number}" for number in range(1000)] + ["x" * 10_000, " "])
    assert len(lines) == LINES_KEPT and len(lines[-1][1]) == 500
    assert warnings_in("pg_restore: warning: errors ignored on restore: 3") == 3
    assert warnings_in("all well") == 0
