"""Log drains. Their URLs hold credentials and are sealed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select

from ..core.log_drain import LogDrain
from .database import Transaction
from .rows import columns, noun
from .tables import log_drains
from .vault import Vault


async def create_log_drain(tx: Transaction, drain: LogDrain, *, vault: Vault) -> None:
    """Stores a drain."""
    await tx.execute(insert(log_drains).values({**columns(drain, "url"), "sealed_url": vault.seal({"url": drain.url})}))


async def list_log_drains(tx: Transaction, app_id: UUID | None = None, *, vault: Vault) -> list[LogDrain]:
    """An app's drains, or those of all apps, oldest first."""
    query = select(log_drains).order_by(log_drains.c.created_at, log_drains.c.id)
    if app_id is not None:
        query = query.where(log_drains.c.app_id == app_id)
    return [_drain(row, vault) for row in (await tx.execute(query)).mappings()]


def _drain(row: Any, vault: Vault) -> LogDrain:
    return noun(LogDrain, row, url=vault.open(row["sealed_url"])["url"])


async def delete_log_drain(tx: Transaction, id: UUID) -> None:
    """Takes a drain away."""
    await tx.execute(delete(log_drains).where(log_drains.c.id == id))
