"""Apps that sleep, and those that may."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from ..core.sleep import Sleeper, SleepReason
from .database import Transaction
from .tables import apps, process_types
from .usage_tables import sleeping_apps


async def sleep_of(tx: Transaction, app_id: UUID) -> SleepReason | None:
    """Why an app sleeps; None when it is awake."""
    found = (await tx.execute(select(sleeping_apps.c.reason).where(sleeping_apps.c.app_id == app_id))).scalar()
    return SleepReason(found) if found else None


async def set_awake(tx: Transaction, app_id: UUID) -> None:
    """Idempotent."""
    await tx.execute(delete(sleeping_apps).where(sleeping_apps.c.app_id == app_id))


async def set_sleep(tx: Transaction, app_id: UUID, reason: SleepReason | None, now: datetime) -> None:
    """Has an app sleep, or wake. Idempotent."""
    await set_awake(tx, app_id)
    if reason is not None:
        await tx.execute(insert(sleeping_apps).values(app_id=app_id, reason=reason.value, since=now))


async def list_sleepers(tx: Transaction, keys: Collection[str]) -> list[Sleeper]:
    """Apps that have a process type of one of these sizes, and all that sleep."""
    c = process_types.c
    of_size = select(c.app_id).where(func.lower(c.size).in_(keys))
    asleep = {row.app_id: SleepReason(row.reason) for row in (await tx.execute(select(sleeping_apps))).all()}
    query = (
        select(c.app_id, c.type, c.quantity, c.size, apps.c.owner_id, apps.c.team_id)
        .join(apps, apps.c.id == c.app_id)
        .where(c.app_id.in_(of_size) | c.app_id.in_(select(sleeping_apps.c.app_id)))
        .order_by(c.app_id, c.type)
    )
    found: dict[UUID, Sleeper] = {}
    for row in (await tx.execute(query)).all():
        known = found.get(row.app_id) or Sleeper(row.app_id, row.team_id or row.owner_id, (), asleep.get(row.app_id))
        entry = (row.type, row.quantity, row.size)
        found[row.app_id] = Sleeper(known.app_id, known.payer_id, (*known.formation, entry), known.reason)
    return list(found.values())
