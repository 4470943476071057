"""Tokens' records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.account import Account, Authorization
from .database import Transaction
from .rows import columns, noun
from .tables import accounts, authorizations


def _authorization(row: Any) -> Authorization:
    return noun(Authorization, row, scope=tuple(row["scope"]))


async def create_authorization(tx: Transaction, authorization: Authorization) -> None:
    """Stores a token's record."""
    await tx.execute(insert(authorizations).values(columns(authorization)))


async def find_by_token(tx: Transaction, token_hash: str) -> tuple[Authorization, Account] | None:
    """Whose token it is. Expiry is the caller's to judge."""
    found = (await tx.execute(select(authorizations).where(authorizations.c.token_hash == token_hash))).mappings().first()
    if found is None:
        return None
    owner = (await tx.execute(select(accounts).where(accounts.c.id == found["account_id"]))).mappings().one()
    return _authorization(found), noun(Account, owner)


async def find_authorization(tx: Transaction, id: UUID) -> Authorization | None:
    """A token's record by its id."""
    row = (await tx.execute(select(authorizations).where(authorizations.c.id == id))).mappings().first()
    return _authorization(row) if row else None


async def list_authorizations(tx: Transaction, account_id: UUID) -> list[Authorization]:
    """An account's tokens, oldest first."""
    query = select(authorizations).where(authorizations.c.account_id == account_id).order_by(authorizations.c.created_at)
    return [_authorization(row) for row in (await tx.execute(query)).mappings()]


async def update_authorization(tx: Transaction, authorization: Authorization) -> None:
    """Stores what changed of a token's record."""
    values = columns(authorization, "id", "created_at")
    await tx.execute(update(authorizations).where(authorizations.c.id == authorization.id).values(values))


async def delete_authorization(tx: Transaction, id: UUID) -> None:
    """The token is worth nothing from now on."""
    await tx.execute(delete(authorizations).where(authorizations.c.id == id))
