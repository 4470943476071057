"""SSH public keys."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, select

from ..core.ssh_key import SshKey
from .database import Transaction
from .rows import columns, noun
from .tables import ssh_keys


async def create_ssh_key(tx: Transaction, key: SshKey) -> None:
    """Stores a key. Raises: Conflict when the account has it already."""
    await tx.execute(insert(ssh_keys).values(columns(key)))


async def list_ssh_keys(tx: Transaction, account_id: UUID) -> list[SshKey]:
    """An account's keys, oldest first."""
    query = select(ssh_keys).where(ssh_keys.c.account_id == account_id).order_by(ssh_keys.c.created_at)
    return [noun(SshKey, row) for row in (await tx.execute(query)).mappings()]


async def delete_ssh_key(tx: Transaction, id: UUID) -> None:
    """Takes a key away."""
    await tx.execute(delete(ssh_keys).where(ssh_keys.c.id == id))
