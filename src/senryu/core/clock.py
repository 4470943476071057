"""The time, as a collaborator, so that days pass in milliseconds in tests; and what becomes of stored moments when the wall clock jumps.

Moments are stored in wall time, because people read them. Ages are decided by them too: how long a dyno runs, waits, was asked to stop.
So each record says by which clock its moments were written (a stamp); once the wall clock jumped they move along, and ages stay true.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

_JUMP = timedelta(seconds=2)  # less is the steering of NTP, which the timeouts here can bear


class Clock(Protocol):
    """Gives the time. The real one is in `serve.py`, the fake one in `tests/`."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; for timeouts."""

    def boot(self) -> str:
        """Names the machine's boot, since which `monotonic` counts. No spaces."""

    async def sleep(self, delay_s: float) -> None:
        """Waits `delay_s` seconds."""


class SteadyClock:
    """The wall time of the moment it was made, gone on by the monotonic one: it sees no jump."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boot_at = clock.now() - timedelta(seconds=clock.monotonic())
        self.stamp = f"{clock.boot()} {self._boot_at.isoformat()}"

    def now(self) -> datetime:
        """See Clock."""
        return self._boot_at + timedelta(seconds=self._clock.monotonic())

    def monotonic(self) -> float:
        """See Clock."""
        return self._clock.monotonic()

    def boot(self) -> str:
        """See Clock."""
        return self._clock.boot()

    async def sleep(self, delay_s: float) -> None:
        """See Clock."""
        await self._clock.sleep(delay_s)


def shift(written: str | None, latest: datetime, stamp: str, now: datetime) -> timedelta | None:
    """How far moments written under the stamp `written` are to be moved to be right under `stamp`; None: nothing is to be done.

    Takes: `latest`, the latest moment that has passed. Across boots only one thing is known: what has passed is not to come, so a clock
    that went back while the machine was off makes it `now`.
    """
    boot, _, boot_at = (written or "").partition(" ")
    boot_now, _, boot_at_now = stamp.partition(" ")
    if boot != boot_now:
        return min(timedelta(), now - latest)
    jump = datetime.fromisoformat(boot_at_now) - datetime.fromisoformat(boot_at)
    return jump if abs(jump) >= _JUMP else None
