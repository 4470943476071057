"""Usage: what ran for how long and at what price, and what that comes to in a month. Months are UTC; all sums are exact.

Something costs its monthly price times the part of the month that it ran, so a whole month costs the price whether it has 28 or 31 days.
Source: https://devcenter.heroku.com/articles/usage-and-billing (pro rata to the second); the part of the month, not of 30 days, is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import NAMESPACE_OID, UUID, uuid5

from .dyno import Dyno, DynoKind
from .errors import Invalid

PLANS_PRICE = -1
_MICROSECOND = timedelta(microseconds=1)
_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])\Z")
_START_LAG_S = 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    """A time that something ran at one price for one payer; `ended_at` None: it still does.

    `id` is the dyno's or add-on's, `part` counts its times. `kind` is `dyno` or `add-on`; `name` is `web.1`, the type of dynos beside the
    formation, or the add-on's name; `size` a dyno size or `service:plan`. `price_cents` is for a month, PLANS_PRICE what the plan costs
    now: once that changes, what is over has the number. `is_pooled`: it uses up hours, and its price is the payer's once a month.
    """

    id: UUID
    part: int
    payer_id: UUID
    app_id: UUID
    app_name: str
    kind: str
    name: str
    size: str
    price_cents: int
    is_pooled: bool
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """What things of one name, size and price ran in one month (`2026-11`) for one payer."""

    payer_id: UUID
    month: str
    app_id: UUID
    app_name: str
    kind: str
    name: str
    size: str
    price_cents: int
    is_pooled: bool
    microseconds: int


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of a statement: `cents` for what `total` says."""

    total: Total
    cents: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A payer's month. `is_open`: the month goes on, so the sum does."""

    payer_id: UUID
    month: str
    charges: tuple[Charge, ...]
    is_open: bool

    @property
    def id(self) -> UUID:
        """The same at every look."""
        return uuid5(NAMESPACE_OID, f"statement {self.payer_id} {self.month}")

    @property
    def cents(self) -> int:
        """The sum."""
        return sum(charge.cents for charge in self.charges)

    def seconds(self, kind: str) -> int:
        """Whole seconds that things of a kind ran."""
        return sum(charge.total.microseconds for charge in self.charges if charge.total.kind == kind) // 1_000_000


def month_of(moment: datetime) -> str:
    """`2026-11`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def checked_month(text: str) -> str:
    """Raises: Invalid."""
    if not _MONTH.match(text) or not 1970 < int(text[:4]) < 9999:
        raise Invalid(f"`{text[:20]}` is no month; write it as 2026-11.")
    return text


def bounds(month: str) -> tuple[datetime, datetime]:
    """Its first moment, and that of the next."""
    year, number = int(month[:4]), int(month[5:])
    return datetime(year, number, 1, tzinfo=UTC), datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def months_between(start: datetime, end: datetime) -> Iterator[str]:
    """Every month with a moment of this time in it, oldest first."""
    month = month_of(start)
    while True:
        yield month
        _, following = bounds(month)
        if following >= end:
            return
        month = month_of(following)


def microseconds_in(use: Usage, month: str, now: datetime) -> int:
    """How long it ran in a month, as far as that is over."""
    first, following = bounds(month)
    end = min(use.ended_at if use.ended_at is not None else now, following)
    return max(0, (end - max(use.started_at, first)) // _MICROSECOND)


def totals(uses: Iterable[Usage], now: datetime, months: Iterable[str] | None = None) -> list[Total]:
    """What came of uses, month by month (of all, or of these)."""
    wanted = None if months is None else set(months)
    found = []
    for use in uses:
        for month in months_between(use.started_at, max(use.started_at, use.ended_at or now)):
            ran = microseconds_in(use, month, now)
            if ran and (wanted is None or month in wanted):
                found.append(Total(use.payer_id, month, use.app_id, use.app_name, use.kind, use.name, use.size, use.price_cents,
                                   use.is_pooled, ran))  # fmt: skip
    return summed(found)


def summed(parts: Iterable[Total]) -> list[Total]:
    """Totals of the same thing as one; of an app that was renamed, under the last name."""
    found: dict[tuple[object, ...], Total] = {}
    for part in parts:
        key = (part.payer_id, part.month, part.app_id, part.kind, part.name, part.size, part.price_cents, part.is_pooled)
        known = found.get(key)
        found[key] = replace(part, microseconds=part.microseconds + known.microseconds) if known else part
    return list(found.values())


def exact_cents(price_cents: int, microseconds: int, month: str) -> Fraction:
    """What a part of a month costs; never more than the month."""
    first, following = bounds(month)
    return Fraction(price_cents) * min(Fraction(1), Fraction(microseconds, (following - first) // _MICROSECOND))


def rounded(cents: Fraction) -> int:
    """Half a cent is a cent."""
    return int(cents + Fraction(1, 2))


def statement(payer_id: UUID, month: str, parts: Iterable[Total], prices: Mapping[str, int], now: datetime) -> Statement:
    """A payer's month from its totals: by app, dynos before add-ons; a flat price once for each size that has one.

    Takes: `prices`, of plans by `service:plan`. A dyno costs no more than its price, also where two of its name overlapped for a moment.
    One-off dynos are many under one name, and each counts.
    """
    mine = [_priced(part, prices) for part in summed(parts) if (part.payer_id, part.month) == (payer_id, month)]
    charges = [Charge(part, _cents(part)) for part in sorted(mine, key=_order)]
    flat: dict[str, Total] = {}
    for part in mine:
        known = flat.get(part.size)
        if part.is_pooled and (known is None or part.price_cents > known.price_cents):
            flat[part.size] = part
    pools = [replace(part, kind="pool", name=f"{part.size} dynos", app_id=payer_id, app_name="") for part in flat.values()]
    pools = [replace(pool, microseconds=sum(p.microseconds for p in mine if p.is_pooled and p.size == pool.size)) for pool in pools]
    ends_at = bounds(month)[1]
    return Statement(payer_id, month, (*charges, *(Charge(pool, pool.price_cents) for pool in pools if pool.price_cents)), now < ends_at)


def _order(part: Total) -> tuple[str, bool, str, str]:
    return part.app_name, part.kind != "dyno", part.name, part.size


def _priced(part: Total, prices: Mapping[str, int]) -> Total:
    return replace(part, price_cents=max(0, prices.get(part.size, 0))) if part.price_cents == PLANS_PRICE else part


def _cents(part: Total) -> int:
    if part.is_pooled:
        return 0
    if part.kind == "dyno" and "." not in part.name:  # many at once under one name
        first, following = bounds(part.month)
        return rounded(Fraction(part.price_cents) * Fraction(part.microseconds, (following - first) // _MICROSECOND))
    return rounded(exact_cents(part.price_cents, part.microseconds, part.month))


def pooled_seconds(parts: Iterable[Total], month: str) -> dict[tuple[UUID, str], dict[UUID, int]]:
    """Seconds that pooled dynos ran in a month, by payer and size's key, then by app."""
    exact: dict[tuple[UUID, str], dict[UUID, int]] = {}
    for part in parts:
        if part.is_pooled and part.month == month:
            apps = exact.setdefault((part.payer_id, part.size.lower()), {})
            apps[part.app_id] = apps.get(part.app_id, 0) + part.microseconds
    return {key: {app_id: ran // 1_000_000 for app_id, ran in apps.items()} for key, apps in exact.items()}


def name_on_statement(dyno: Dyno) -> str:
    """`web.1`; one-off dynos by their type: each has another number."""
    return dyno.name if dyno.kind is DynoKind.FORMATION else dyno.type


def ran_from(dyno: Dyno, engine_says: datetime | None) -> datetime:
    """When a dyno began to run: as the engine says, unless the clock was set since: its record moved along, the engine's did not."""
    if engine_says is not None and 0 <= (engine_says - dyno.created_at).total_seconds() <= _START_LAG_S:
        return engine_says
    return dyno.created_at
