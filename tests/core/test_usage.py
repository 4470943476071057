from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senryu.core.errors import Invalid
from senryu.core.usage import (
    PLANS_PRICE,
    Total,
    Usage,
    bounds,
    checked_month,
    exact_cents,
    microseconds_in,
    month_of,
    months_between,
    pooled_seconds,
    rounded,
    statement,
    summed,
    totals,
)

PAYER, APP = uuid4(), uuid4()
MOMENTS = st.datetimes(datetime(2019, 12, 1), datetime(2033, 3, 1), timezones=st.just(UTC))
NOW = datetime(2035, 1, 1, tzinfo=UTC)


def _use(start: datetime, end: datetime | None, *, part: int = 0, price: int = 2500, name: str = "web.1", id: UUID | None = None) -> Usage:
    return Usage(id or uuid4(), part, PAYER, APP, "shop", "dyno", name, "Standard-1X", price, False, start, end)


def _total(month: str, microseconds: int, **changes: object) -> Total:
    values: dict[str, object] = {
        "payer_id": PAYER, "month": month, "app_id": APP, "app_name": "shop", "kind": "dyno", "name": "web.1", "size": "Standard-1X",
        "price_cents": 2500, "is_pooled": False, "microseconds": microseconds,
    }  # fmt: skip
    return Total(**{**values, **changes})  # type: ignore[arg-type]


@given(MOMENTS, MOMENTS)
def test_every_microsecond_is_in_one_month(a: datetime, b: datetime) -> None:
    start, end = min(a, b), max(a, b)
    use = _use(start, end)
    in_months = sum(microseconds_in(use, month, NOW) for month in months_between(start, end))
    assert in_months == (end - start) // timedelta(microseconds=1)
    assert sum(total.microseconds for total in totals([use], NOW)) == in_months


@given(st.lists(MOMENTS, min_size=2, max_size=8), st.integers(0, 100_000))
def test_a_time_cut_anywhere_comes_to_the_same(moments: list[datetime], price: int) -> None:
    """Size changed, price changed, platform killed: at any microsecond."""
    moments.sort()
    whole = totals([_use(moments[0], moments[-1], price=price)], NOW)
    cuts = [_use(start, end, part=part, price=price) for part, (start, end) in enumerate(pairwise(moments))]
    assert {(t.month, t.microseconds) for t in totals(cuts, NOW)} == {(t.month, t.microseconds) for t in whole}
    first = [total for cut in cuts[:2] for total in totals([cut], NOW)]
    folded = summed([*first, *totals(cuts[2:], NOW)])
    assert {(t.month, t.microseconds) for t in folded} == {(t.month, t.microseconds) for t in whole}


@given(MOMENTS, st.integers(0, 10**6), st.data())
def test_a_price_change_splits_the_charge_where_it_happened(start: datetime, price: int, data: st.DataObject) -> None:
    first, following = bounds(month_of(start))
    span = (following - first) // timedelta(microseconds=1)
    cut = data.draw(st.integers(0, span))
    other = data.draw(st.integers(0, 10**6))
    exact = exact_cents(price, cut, month_of(start)) + exact_cents(other, span - cut, month_of(start))
    assert min(price, other) <= exact <= max(price, other)
    at = first + timedelta(microseconds=cut)
    uses = [_use(first, at, price=price), _use(at, following, part=1, price=other)]
    bill = statement(PAYER, month_of(start), totals(uses, NOW), {}, NOW)
    assert abs(bill.cents - exact) <= len(bill.charges)


@pytest.mark.parametrize("month", ["2024-02", "2025-02", "2026-11", "2026-12", "2000-02", "2100-02"])
def test_a_whole_month_costs_the_price_however_long_it_is(month: str) -> None:
    first, following = bounds(month)
    [total] = totals([_use(first, following)], NOW)
    assert statement(PAYER, month, [total], {}, NOW).cents == 2500
    days = (following - first).days
    assert days == {"2024-02": 29, "2025-02": 28, "2026-11": 30, "2026-12": 31, "2000-02": 29, "2100-02": 28}[month]
    half = statement(PAYER, month, totals([_use(first, first + (following - first) / 2)], NOW), {}, NOW)
    assert half.cents == 1250


def test_summer_time_is_no_hour_more_or_less() -> None:
    for month in ("2026-03", "2026-10"):
        first, following = bounds(month)
        assert (following - first) // timedelta(seconds=1) == 31 * 86400


def test_two_of_one_name_for_a_moment_cost_no_more_than_one() -> None:
    first, following = bounds("2026-11")
    overlapping = [_use(first, following), _use(first + timedelta(days=1), following)]
    assert statement(PAYER, "2026-11", totals(overlapping, NOW), {}, NOW).cents == 2500
    one_offs = [_use(first, following, name="run"), _use(first, following, name="run")]
    assert statement(PAYER, "2026-11", totals(one_offs, NOW), {}, NOW).cents == 5000


def test_a_pool_costs_its_price_once_and_its_dynos_nothing() -> None:
    eco = {"size": "Eco", "price_cents": 500, "is_pooled": True}
    parts = [_total("2026-11", 10**9, **eco), _total("2026-11", 2 * 10**9, app_id=uuid4(), app_name="blog", **eco)]
    bill = statement(PAYER, "2026-11", parts, {}, NOW)
    assert bill.cents == 500 and [charge.cents for charge in bill.charges] == [0, 0, 500]
    assert bill.charges[-1].total.microseconds == 3 * 10**9
    assert pooled_seconds(parts, "2026-11") == {(PAYER, "eco"): {part.app_id: part.microseconds // 10**6 for part in parts}}
    free = [_total("2026-11", 10**9, size="Free", price_cents=0, is_pooled=True)]
    assert statement(PAYER, "2026-11", free, {}, NOW).cents == 0


def test_plans_cost_what_they_cost_when_asked() -> None:
    first, following = bounds("2026-11")
    plan = _total("2026-11", (following - first) // timedelta(microseconds=1), kind="add-on", name="postgresql-1", size="pg:small",
                  price_cents=PLANS_PRICE)  # fmt: skip
    assert statement(PAYER, "2026-11", [plan], {"pg:small": 900}, NOW).cents == 900
    assert statement(PAYER, "2026-11", [plan], {}, NOW).cents == 0


def test_a_statement_is_the_payers_and_the_months_alone() -> None:
    parts = [_total("2026-11", 10**12), _total("2026-10", 10**12), _total("2026-11", 10**12, payer_id=uuid4())]
    bill = statement(PAYER, "2026-11", parts, {}, datetime(2026, 11, 30, tzinfo=UTC))
    assert len(bill.charges) == 1 and bill.is_open
    assert not statement(PAYER, "2026-11", parts, {}, datetime(2026, 12, 1, tzinfo=UTC)).is_open


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "now", "26-01", "2026-01\n", "0000-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        checked_month(text)


@given(st.fractions(0, 10**6))
def test_cents_are_rounded_half_up(cents: Fraction) -> None:
    assert abs(rounded(cents) - cents) <= Fraction(1, 2) and rounded(Fraction(1, 2)) == 1
