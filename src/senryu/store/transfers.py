"""Backups, restores, copies and their schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from ..core.transfer import Schedule, Transfer, TransferKind
from .database import Transaction
from .rows import columns, noun
from .transfer_tables import transfer_schedules, transfers


def _transfer(row: Any) -> Transfer:
    lines = tuple((str(at), str(text)) for at, text in row["lines"])
    return noun(Transfer, row, kind=TransferKind(row["kind"]), lines=lines)


async def next_number(tx: Transaction, app_id: UUID) -> int:
    """The number of the app's next transfer; the caller has the app locked."""
    found = (await tx.execute(select(func.max(transfers.c.num)).where(transfers.c.app_id == app_id))).scalar()
    return int(found or 0) + 1


async def create_transfer(tx: Transaction, transfer: Transfer) -> None:
    """Stores one. Raises: Conflict when the app has that number."""
    await tx.execute(insert(transfers).values(_columns(transfer)))


def _columns(transfer: Transfer) -> dict[str, Any]:
    return {**columns(transfer), "lines": [list(line) for line in transfer.lines]}


async def update_transfer(tx: Transaction, transfer: Transfer) -> bool:
    """Stores what became of one that is not finished; whether there was such a one."""
    values = _columns(transfer)
    still_open = transfers.c.finished_at.is_(None)
    done = await tx.execute(update(transfers).where(transfers.c.id == transfer.id, still_open).values(values))
    return bool(done.rowcount)


async def delete_transfer(tx: Transaction, id: UUID) -> None:
    """Forgets one."""
    await tx.execute(delete(transfers).where(transfers.c.id == id))


async def find_transfer(tx: Transaction, key: UUID | int, app_id: UUID | None = None) -> Transfer | None:
    """By id, or by the number of an app."""
    query = select(transfers).where(transfers.c.id == key if isinstance(key, UUID) else transfers.c.num == key)
    if app_id is not None:
        query = query.where(transfers.c.app_id == app_id)
    row = (await tx.execute(query)).mappings().first()
    return _transfer(row) if row else None


async def list_transfers(tx: Transaction, app_id: UUID | None = None, *, is_open: bool = False) -> list[Transfer]:
    """Those of an app, or all; all, or those under way; the oldest first."""
    query = select(transfers).order_by(transfers.c.created_at, transfers.c.num)
    if app_id is not None:
        query = query.where(transfers.c.app_id == app_id)
    if is_open:
        query = query.where(transfers.c.finished_at.is_(None))
    return [_transfer(row) for row in (await tx.execute(query)).mappings()]


async def create_schedule(tx: Transaction, schedule: Schedule) -> None:
    """Stores one."""
    await tx.execute(insert(transfer_schedules).values(columns(schedule)))


async def list_schedules(tx: Transaction, add_on_id: UUID | None = None, *, due_by: datetime | None = None) -> list[Schedule]:
    """Those of a database, or all; all, or those that are due; by name."""
    query = select(transfer_schedules).order_by(transfer_schedules.c.name)
    if add_on_id is not None:
        query = query.where(transfer_schedules.c.add_on_id == add_on_id)
    if due_by is not None:
        query = query.where(transfer_schedules.c.due_at <= due_by)
    return [noun(Schedule, row) for row in (await tx.execute(query)).mappings()]


async def set_due(tx: Transaction, id: UUID, due_at: datetime) -> None:
    """When it is due next."""
    await tx.execute(update(transfer_schedules).where(transfer_schedules.c.id == id).values(due_at=due_at))


async def delete_schedule(tx: Transaction, id: UUID) -> None:
    """Ends one."""
    await tx.execute(delete(transfer_schedules).where(transfer_schedules.c.id == id))
