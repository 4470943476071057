"""A payer's months: what ran, and what that comes to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ..core.add_on import Suppliers
from ..core.usage import Statement, checked_month, month_of, months_between, statement
from ..store.database import Transaction
from ..store.usage import first_month, list_totals
from .meter import plan_prices

STATEMENTS_MAX = 120


async def bill(tx: Transaction, payer: UUID, month: str, *, suppliers: Suppliers, now: datetime) -> Statement:
    """One month; up to now when it goes on. Raises: Invalid for what is no month."""
    parts = await list_totals(tx, checked_month(month), now, {payer})
    return statement(payer, month, parts, plan_prices(suppliers.values()), now)


async def bills(tx: Transaction, payer: UUID, *, suppliers: Suppliers, now: datetime) -> list[Statement]:
    """Every month from the first in which something ran, at most STATEMENTS_MAX; the newest first."""
    first = await first_month(tx, payer) or now
    months = list(months_between(min(first, now), now)) or [month_of(now)]
    return [await bill(tx, payer, month, suppliers=suppliers, now=now) for month in reversed(months[-STATEMENTS_MAX:])]
