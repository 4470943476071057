"""The time, as a collaborator, so that days pass in milliseconds in tests."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the time. The real one is in `serve.py`, the fake one in `tests/`."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; for timeouts."""

    async def sleep(self, delay_s: float) -> None:
        """Waits `delay_s` seconds."""
