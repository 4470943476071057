"""What of an app's features is switched off."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, select

from .database import Transaction
from .tables import app_features_off


async def switched_off(tx: Transaction, app_id: UUID) -> frozenset[str]:
    """Their names."""
    return frozenset((await tx.execute(select(app_features_off.c.name).where(app_features_off.c.app_id == app_id))).scalars())


async def switch(tx: Transaction, app_id: UUID, name: str, *, is_on: bool) -> None:
    """Idempotent."""
    c = app_features_off.c
    await tx.execute(delete(app_features_off).where((c.app_id == app_id) & (c.name == name)))
    if not is_on:
        await tx.execute(insert(app_features_off).values(app_id=app_id, name=name))
