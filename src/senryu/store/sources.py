"""Sources that were asked for by `POST /sources`: places to upload to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select

from .database import Transaction
from .tables import sources


async def create_source(tx: Transaction, id: UUID, account_id: UUID, now: datetime) -> None:
    """Notes a place."""
    await tx.execute(insert(sources).values(id=id, account_id=account_id, created_at=now))


async def old_sources(tx: Transaction, before: datetime) -> list[UUID]:
    """Places older than a moment."""
    return list((await tx.execute(select(sources.c.id).where(sources.c.created_at < before))).scalars())


async def source_ids(tx: Transaction) -> set[UUID]:
    """Every place there is."""
    return set((await tx.execute(select(sources.c.id))).scalars())


async def delete_source(tx: Transaction, id: UUID) -> None:
    """Forgets a place."""
    await tx.execute(delete(sources).where(sources.c.id == id))
