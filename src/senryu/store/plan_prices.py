"""What plans cost: a price that changes counts from that moment on, and what ran before keeps the one it had."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import and_, delete, insert, select, update

from ..core.usage import PLANS_PRICE
from .database import Transaction
from .tables import settings
from .usage import go_on_with_plan
from .usage_tables import usage, usage_totals

_PRICES = "plan-prices"
_KEY = ("payer_id", "month", "app_id", "kind", "name", "size", "is_pooled")


async def known_prices(tx: Transaction) -> dict[str, int]:
    """What plans (`service:plan`) cost when that was noted last, in cents a month."""
    return dict((await tx.execute(select(settings.c.content).where(settings.c.name == _PRICES))).scalar() or {})


async def keep_prices(tx: Transaction, prices: Mapping[str, int], at: datetime) -> None:
    """Notes what all plans cost from now on; what ran at another price, or by a plan that is no more, is settled. Idempotent."""
    known = await known_prices(tx)
    if known == prices:
        return
    for plan, cents in known.items():
        if prices.get(plan) != cents:
            await _settle(tx, plan, cents, at)
    await tx.execute(delete(settings).where(settings.c.name == _PRICES))
    await tx.execute(insert(settings).values(name=_PRICES, content=dict(prices)))


async def _settle(tx: Transaction, plan: str, cents: int, at: datetime) -> None:
    await go_on_with_plan(tx, plan, at)
    over = and_(usage.c.size == plan, usage.c.price_cents == PLANS_PRICE, usage.c.ended_at.is_not(None))
    await tx.execute(update(usage).where(over).values(price_cents=cents))
    unsettled = (usage_totals.c.size == plan) & (usage_totals.c.price_cents == PLANS_PRICE)
    for row in (await tx.execute(select(usage_totals).where(unsettled))).mappings().all():
        same = and_(*(usage_totals.c[name] == row[name] for name in _KEY))
        settled = (await tx.execute(select(usage_totals.c.microseconds).where(same, usage_totals.c.price_cents == cents))).scalar()
        await tx.execute(delete(usage_totals).where(same, usage_totals.c.price_cents == cents))
        values = {"price_cents": cents, "microseconds": row["microseconds"] + (settled or 0)}
        await tx.execute(update(usage_totals).where(same, usage_totals.c.price_cents == PLANS_PRICE).values(values))
