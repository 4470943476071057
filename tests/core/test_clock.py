from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from senryu.core.clock import SteadyClock, shift

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """Stands still but for what a test does."""

    def __init__(self, wall: datetime = NOON, uptime_s: float = 1000.0, boot: str = "one") -> None:
        self.wall, self.uptime_s, self.name = wall, uptime_s, boot

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.uptime_s

    def boot(self) -> str:
        return self.name

    async def sleep(self, delay_s: float) -> None:
        self.uptime_s += delay_s


def _stamp(clock: Clock) -> str:
    return SteadyClock(clock).stamp


def test_a_steady_clock_goes_on_and_sees_no_jump() -> None:
    clock = Clock()
    steady = SteadyClock(clock)
    clock.wall += 24 * HOUR
    clock.uptime_s += 5
    assert steady.now() == NOON + timedelta(seconds=5)


def test_a_steady_clock_made_of_a_steady_clock_has_its_stamp() -> None:
    steady = SteadyClock(Clock())
    assert SteadyClock(steady).stamp == steady.stamp


@pytest.mark.parametrize("by", [24 * HOUR, -24 * HOUR, timedelta(seconds=30), -timedelta(seconds=2)])
def test_moments_move_as_far_as_the_clock_jumped(by: timedelta) -> None:
    later = Clock(NOON + HOUR + by, 1000.0 + 3600)
    assert shift(_stamp(Clock()), NOON, _stamp(later), later.wall) == by


def test_time_that_passes_and_a_clock_that_is_steered_move_nothing() -> None:
    later = Clock(NOON + HOUR + timedelta(seconds=1.9), 1000.0 + 3600)
    assert shift(_stamp(Clock()), NOON, _stamp(later), later.wall) is None


def test_after_a_boot_the_wall_clock_is_believed_as_far_as_it_can_be_true() -> None:
    later = Clock(NOON + HOUR, 7.0, "two")
    assert shift(_stamp(Clock()), NOON, _stamp(later), later.wall) == timedelta()
    back = Clock(NOON - HOUR, 7.0, "two")
    assert shift(_stamp(Clock()), NOON, _stamp(back), back.wall) == -HOUR


def test_a_record_without_a_stamp_gets_one() -> None:
    clock = Clock()
    assert shift(None, NOON - HOUR, _stamp(clock), clock.wall) == timedelta()
