"""Sleep: when an app of cheap dynos stops running, and why.

Source: https://devcenter.heroku.com/articles/free-dyno-hours#dyno-sleeping (2022), /articles/eco-dyno-hours
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .dyno import Dyno, DynoKind, DynoState
from .dyno_size import Sizes

IDLING = "Idling"
OUT_OF_HOURS = "Idling because quota is exhausted"
UNIDLING = "Unidling"


class SleepReason(StrEnum):
    """IDLE: nobody asked for it, the next request wakes it. HOURS: its account has used up the month's hours."""

    IDLE = "idle"
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class Sleeper:
    """An app that may sleep: its process types by size and quantity, and why it sleeps now."""

    app_id: UUID
    payer_id: UUID
    formation: tuple[tuple[str, int, str], ...]
    reason: SleepReason | None = None

    @property
    def has_web(self) -> bool:
        """Apps without web dynos never sleep: no request would wake them."""
        return any(name == "web" and quantity > 0 for name, quantity, _ in self.formation)

    def sleeps_after_s(self, sizes: Sizes) -> int:
        """Seconds without web traffic, by the size of its web dynos; 0: never."""
        used = [sizes.by_key.get(size.lower()) for name, quantity, size in self.formation if name == "web" and quantity > 0]
        return used[0].sleeps_after_s if used and used[0] else 0

    def pool(self, sizes: Sizes) -> str | None:
        """The key of the size of whose hours it uses up; None when its dynos are paid for one by one."""
        used = [sizes.by_key.get(size.lower()) for _, quantity, size in self.formation if quantity > 0]
        return next((size.key for size in used if size and size.is_pooled), None)


def is_idle(sleeper: Sleeper, dynos: Iterable[Dyno], sizes: Sizes, quiet: Mapping[UUID, float], now: datetime) -> bool:
    """Whether an app falls asleep now: every web dyno is up for as long as the size says, with nobody asking for it since then."""
    after_s = sleeper.sleeps_after_s(sizes)
    if not after_s or sleeper.reason is not None or quiet.get(sleeper.app_id, 0.0) < after_s:
        return False
    web = [dyno for dyno in dynos if dyno.kind is DynoKind.FORMATION and dyno.type == "web" and dyno.ended_at is None]
    return bool(web) and all(
        dyno.state is DynoState.UP and dyno.retiring is None and (now - dyno.changed_at).total_seconds() >= after_s for dyno in web
    )


def changes_by_hours(sleepers: Sequence[Sleeper], sizes: Sizes, spent: frozenset[tuple[UUID, str]]) -> dict[UUID, SleepReason | None]:
    """By app, why it sleeps from now on, where that changes with its account's hours.

    Takes: `spent`, accounts and keys of sizes whose hours of the month are used up. An app that has hours again sleeps on until somebody
    asks for it; one without web dynos runs at once.
    """
    found: dict[UUID, SleepReason | None] = {}
    for sleeper in sleepers:
        pool = sleeper.pool(sizes)
        is_spent = pool is not None and (sleeper.payer_id, pool) in spent
        if is_spent and sleeper.reason is not SleepReason.HOURS:
            found[sleeper.app_id] = SleepReason.HOURS
        elif not is_spent and sleeper.reason is SleepReason.HOURS:
            found[sleeper.app_id] = SleepReason.IDLE if sleeper.has_web and sleeper.sleeps_after_s(sizes) else None
    return found
