"""When jobs are due: the rules one by one, and a clock that goes on, jumps and stands still at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from senryu.core.errors import Invalid
from senryu.core.scheduled_job import Every, Rewind, Run, Schedule, Skip, decided, late_max, parsed

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEDULES = st.one_of(
    st.just(Schedule(Every.TEN_MINUTES)),
    st.builds(Schedule, st.just(Every.HOUR), st.integers(0, 59)),
    st.builds(Schedule, st.just(Every.DAY), st.integers(0, 1439)),
)


@pytest.mark.parametrize(
    ("every", "at", "expected"),
    [
        ("10 minutes", None, NOON + timedelta(minutes=10)),
        ("hour", None, NOON + timedelta(hours=1)),
        ("hour", ":00", NOON + timedelta(hours=1)),
        ("hour", ":01", NOON + timedelta(minutes=1)),
        ("hour", ":59", NOON + timedelta(minutes=59)),
        ("day", None, NOON + timedelta(hours=12)),
        ("day", "12:00", NOON + timedelta(days=1)),
        ("day", "11:59", NOON + timedelta(hours=23, minutes=59)),
        ("day", "12:01", NOON + timedelta(minutes=1)),
        ("day", "23:59", NOON + timedelta(hours=11, minutes=59)),
    ],
)
def test_a_job_is_due_at_the_time_that_was_said_in_utc(every: str, at: str | None, expected: datetime) -> None:
    schedule = parsed(every, at)
    assert schedule.next_due(NOON) == expected
    elsewhere = NOON.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    assert schedule.next_due(elsewhere) == expected
    assert parsed(every, schedule.shown_at) == schedule


@pytest.mark.parametrize(
    ("every", "at"),
    [
        (None, None),
        ("", None),
        ("week", None),
        ("10 minutes", ":05"),
        ("hour", "5"),
        ("hour", ":60"),
        ("hour", "03:30"),
        ("day", "24:00"),
        ("day", "3:30"),
        ("day", ":30"),
        ("day", "03:30\n"),
        ("day", "٠٣:٣٠"),
    ],
)
def test_what_is_no_schedule_is_refused_with_a_hint(every: str | None, at: str | None) -> None:
    with pytest.raises(Invalid, match=r"every|at"):
        parsed(every, at)


@pytest.mark.parametrize(
    ("every", "late_s", "expected"),
    [
        (Every.TEN_MINUTES, 0, Run(NOON, 0)),
        (Every.TEN_MINUTES, 299, Run(NOON, 0)),
        (Every.TEN_MINUTES, 301, Skip(NOON, 1)),
        (Every.TEN_MINUTES, 601, Run(NOON + timedelta(minutes=10), 1)),
        (Every.TEN_MINUTES, 3 * 86400 + 400, Skip(NOON + timedelta(days=3), 3 * 144 + 1)),
        (Every.HOUR, 1799, Run(NOON, 0)),
        (Every.HOUR, 1801, Skip(NOON, 1)),
        (Every.DAY, 3599, Run(NOON, 0)),
        (Every.DAY, 3601, Skip(NOON, 1)),
        (Every.DAY, 86400 + 10, Run(NOON + timedelta(days=1), 1)),
    ],
)
def test_a_run_that_is_a_little_late_is_made_once_and_older_ones_are_missed(every: Every, late_s: float, expected: Run | Skip) -> None:
    schedule = Schedule(every, 720 if every is Every.DAY else 0)
    assert decided(schedule, NOON, NOON + timedelta(seconds=late_s)) == expected


def test_a_clock_that_goes_back_is_waited_for_and_one_that_was_days_ahead_is_not() -> None:
    daily = Schedule(Every.DAY, 720)
    claimed = daily.next_due(NOON)
    assert decided(daily, claimed, NOON - timedelta(seconds=5)) is None
    assert decided(daily, claimed, NOON - timedelta(hours=20)) is None
    assert decided(daily, claimed, NOON - timedelta(days=3)) == Rewind()


class Platform:
    """What the loop does with decisions."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.now = schedule, NOON
        self.due_at = schedule.next_due(NOON)
        self.ran: list[datetime] = []
        self.missed = 0
        self.rewinds = 0

    def look(self) -> None:
        verdict = decided(self.schedule, self.due_at, self.now)
        match verdict:
            case Run(due_at, missed):
                assert timedelta() <= self.now - due_at <= late_max(self.schedule.every)
                self.ran.append(due_at)
                self.missed += missed
            case Skip(due_at, missed):
                assert self.now - due_at > late_max(self.schedule.every)
                self.missed += missed
            case Rewind():
                self.rewinds += 1
        if verdict is not None:
            self.due_at = self.schedule.next_due(self.now)
        assert decided(self.schedule, self.due_at, self.now) is None, "one look is enough"


@settings(max_examples=300, deadline=None)
@given(SCHEDULES, st.lists(st.integers(1, 400_000), max_size=60))
@example(Schedule(Every.TEN_MINUTES), [600] * 10)
def test_while_the_clock_goes_on_every_due_time_is_run_or_counted_as_missed_exactly_once(schedule: Schedule, steps: list[int]) -> None:
    platform = Platform(schedule)
    for step_s in steps:
        platform.now += timedelta(seconds=step_s)
        platform.look()
    every = (schedule.last_due(platform.now) - schedule.last_due(NOON)) // schedule.every.interval
    assert len(platform.ran) + platform.missed == every
    assert platform.ran == sorted(set(platform.ran))
    assert all(schedule.last_due(due_at) == due_at for due_at in platform.ran)


@settings(max_examples=60, deadline=None)
@given(SCHEDULES, st.integers(1, 10))
def test_a_platform_that_looks_often_runs_each_due_time(schedule: Schedule, look_s: int) -> None:
    platform = Platform(schedule)
    steps = min(3000, int(3 * schedule.every.interval.total_seconds()) // look_s + 2)
    for _ in range(steps):
        platform.now += timedelta(seconds=look_s)
        platform.look()
    every = (schedule.last_due(platform.now) - schedule.last_due(NOON)) // schedule.every.interval
    assert (len(platform.ran), platform.missed, platform.rewinds) == (every, 0, 0)


@settings(max_examples=300, deadline=None)
@given(SCHEDULES, st.lists(st.integers(-1_000_000, 1_000_000), max_size=60))
def test_jumps_of_the_clock_never_make_a_flood_nor_an_end(schedule: Schedule, jumps: list[int]) -> None:
    platform = Platform(schedule)
    for jump_s in jumps:
        platform.now += timedelta(seconds=jump_s)
        before = len(platform.ran)
        platform.look()
        assert len(platform.ran) - before <= 1
    assert platform.due_at - platform.now <= 2 * schedule.every.interval
    for _ in range(3):
        platform.now = platform.due_at
        platform.look()
    assert platform.ran[-1] == platform.now


@settings(max_examples=200, deadline=None)
@given(SCHEDULES, st.lists(st.integers(-50, 50), max_size=100))
def test_a_clock_that_trembles_runs_nothing_twice(schedule: Schedule, steps: list[int]) -> None:
    platform = Platform(schedule)
    platform.now = platform.due_at
    for step_s in steps:
        platform.look()
        platform.now += timedelta(seconds=step_s)
    assert len(platform.ran) == len(set(platform.ran))
