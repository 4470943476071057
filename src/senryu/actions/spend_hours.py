"""Whose hours of the month are used up.

Source: https://devcenter.heroku.com/articles/free-dyno-hours (2022), /articles/eco-dyno-hours
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ..core.dyno_size import DynoSize, Sizes
from ..core.usage import month_of, pooled_seconds
from ..store.accounts import find_accounts
from ..store.database import Transaction
from ..store.dyno_sizes import list_sizes
from ..store.usage import list_totals


@dataclass(frozen=True, slots=True)
class Pool:
    """An account's or team's hours of one size in a month, in seconds; `used_by` app."""

    size: DynoSize
    quota_s: int
    used_by: dict[UUID, int]

    @property
    def used_s(self) -> int:
        """All apps'."""
        return sum(self.used_by.values())


async def pools_of(tx: Transaction, payers: Collection[UUID], sizes: Sizes, now: datetime) -> dict[tuple[UUID, str], Pool]:
    """By payer and size's key, whether any of it was used or not. Teams have what verified accounts have."""
    month = month_of(now)
    used = pooled_seconds(await list_totals(tx, month, now, payers), month)
    accounts = await find_accounts(tx, set(payers))
    found = {}
    for payer in payers:
        is_verified = payer not in accounts or accounts[payer].is_verified or accounts[payer].is_operator
        for size in sizes:
            if size.is_pooled:
                quota_s = size.hours_of(is_verified=is_verified) * 3600
                found[payer, size.key] = Pool(size, quota_s, used.get((payer, size.key), {}))
    return found


async def spent_pools(tx: Transaction, sizes: Sizes, payers: Collection[UUID], now: datetime) -> frozenset[tuple[UUID, str]]:
    """Payers and keys of sizes with no hours left."""
    if not payers:
        return frozenset()
    pools = await pools_of(tx, payers, sizes, now)
    return frozenset(key for key, pool in pools.items() if pool.used_s >= pool.quota_s)


async def is_spent(tx: Transaction, payer: UUID, size: DynoSize, now: datetime) -> bool:
    """Whether a payer has no hours of a size left."""
    return size.is_pooled and (payer, size.key) in await spent_pools(tx, await list_sizes(tx), {payer}, now)
