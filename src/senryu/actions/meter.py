"""Noting what runs, and for how long, in the transaction that says that it runs: what a crash keeps from one it keeps from the other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from ..core.add_on import Supplier, Suppliers
from ..core.app import App
from ..core.clock import Clock
from ..core.dyno import Dyno
from ..core.errors import PlatformError
from ..core.limits import USAGE_FOLDED_AFTER_S, USAGE_ROUND_S
from ..core.usage import Usage, name_on_statement, ran_from
from ..store.database import Database, Transaction
from ..store.dyno_sizes import list_sizes
from ..store.plan_prices import keep_prices, known_prices
from ..store.usage import beat, begin_usage, end_usage, fold_usage

_log = structlog.get_logger("meter")


async def meter_dyno(
    tx: Transaction, app: App, dyno: Dyno, started_at: datetime | None, ended_at: datetime | None = None, *, clock: Clock
) -> None:
    """Notes that a dyno runs since `started_at` (None: as its record says) and, with `ended_at`, that it ran until then. Idempotent."""
    await beat(tx, clock.boot(), clock.now())  # first: an end seen in this boot is not the end of what the boot before ended
    size = (await list_sizes(tx)).known(dyno.size)
    began = ran_from(dyno, started_at)
    use = Usage(
        dyno.id, 0, app.payer, app.id, app.name, "dyno", name_on_statement(dyno), size.name, size.price_cents, size.is_pooled, began
    )
    await begin_usage(tx, use)
    if ended_at is not None:
        await end_usage(tx, dyno.id, ended_at)


async def keep_usage(*, db: Database, suppliers: Suppliers, clock: Clock) -> None:
    """Keeps what is over as sums: what a day made is a few rows then. Notes that the machine runs, for when it does not. For ever."""
    while True:
        await keep_prices_once(db=db, suppliers=suppliers, clock=clock)
        folded = await keep_usage_once(db=db, clock=clock)
        await clock.sleep(1.0 if folded else USAGE_ROUND_S)


def plan_prices(suppliers: Iterable[Supplier]) -> dict[str, int]:
    """What every plan costs, in cents a month."""
    return {plan.name: plan.price_cents for supplier in suppliers for plan in supplier.service.plans}


async def keep_prices_once(*, db: Database, suppliers: Suppliers, clock: Clock) -> None:
    """Notes what plans cost since this version of the platform. What could not be written comes with the next round."""
    try:
        async with db.reading() as tx:
            is_known = await known_prices(tx) == plan_prices(suppliers.values())
        if not is_known:
            async with db.transaction() as tx:
                await keep_prices(tx, plan_prices(suppliers.values()), clock.now())
    except PlatformError as problem:
        _log.warning("prices not noted", reason=problem.message)


async def keep_usage_once(*, db: Database, clock: Clock) -> int:
    """One round; gives how much was over. What could not be written comes with the next round."""
    try:
        async with db.transaction() as tx:
            await beat(tx, clock.boot(), clock.now())
            return await fold_usage(tx, clock.now() - timedelta(seconds=USAGE_FOLDED_AFTER_S))
    except PlatformError as problem:
        _log.warning("usage not folded", reason=problem.message)
    except Exception:
        _log.exception("usage not folded")
    return 0
