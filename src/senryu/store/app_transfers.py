"""Offers of apps to other accounts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, or_, select, update

from ..core.app_transfer import AppTransfer, TransferState
from .database import Transaction
from .rows import columns, noun
from .tables import app_transfers


async def create_transfer(tx: Transaction, transfer: AppTransfer) -> None:
    """Stores a new offer."""
    await tx.execute(insert(app_transfers).values(columns(transfer)))


async def list_transfers(tx: Transaction, account_id: UUID) -> list[AppTransfer]:
    """Offers an account made or was made, oldest first."""
    mine = or_(app_transfers.c.owner_id == account_id, app_transfers.c.recipient_id == account_id)
    rows = (await tx.execute(select(app_transfers).where(mine).order_by(app_transfers.c.created_at))).mappings()
    return [noun(AppTransfer, row, state=TransferState(row["state"])) for row in rows]


async def update_transfer(tx: Transaction, transfer: AppTransfer) -> None:
    """Stores how an offer was answered."""
    await tx.execute(update(app_transfers).where(app_transfers.c.id == transfer.id).values(columns(transfer, "id", "created_at")))


async def delete_transfer(tx: Transaction, id: UUID) -> None:
    """Takes an offer back."""
    await tx.execute(delete(app_transfers).where(app_transfers.c.id == id))


async def forget_transfers(tx: Transaction, app_id: UUID) -> None:
    """Takes back what is offered of an app that changed hands otherwise."""
    pending = (app_transfers.c.app_id == app_id) & (app_transfers.c.state == TransferState.PENDING.value)
    await tx.execute(delete(app_transfers).where(pending))
