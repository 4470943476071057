"""Formations: one row a process type."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, select

from ..core.formation import ProcessType
from .database import Transaction
from .rows import columns, noun
from .tables import process_types


async def list_formation(tx: Transaction, app_id: UUID) -> list[ProcessType]:
    """Every process type an app was ever scaled for, by name."""
    query = select(process_types).where(process_types.c.app_id == app_id).order_by(process_types.c.type)
    return [noun(ProcessType, row) for row in (await tx.execute(query)).mappings()]


async def set_process_type(tx: Transaction, entry: ProcessType) -> None:
    """Stores an entry in place of the one of its type."""
    wanted = (process_types.c.app_id == entry.app_id) & (process_types.c.type == entry.type)
    await tx.execute(delete(process_types).where(wanted))
    await tx.execute(insert(process_types).values(columns(entry)))
