"""OAuth clients; their secrets are sealed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.oauth_client import OAuthClient
from .database import Transaction
from .rows import columns, noun
from .tables import oauth_clients
from .vault import Vault


def _values(client: OAuthClient, vault: Vault, *without: str) -> dict[str, Any]:
    return {**columns(client, "secret", *without), "sealed_secret": vault.seal({"secret": client.secret})}


async def create_oauth_client(tx: Transaction, client: OAuthClient, *, vault: Vault) -> None:
    """Stores a client."""
    await tx.execute(insert(oauth_clients).values(_values(client, vault)))


async def list_oauth_clients(tx: Transaction, account_id: UUID, *, vault: Vault) -> list[OAuthClient]:
    """An account's clients, oldest first."""
    query = select(oauth_clients).where(oauth_clients.c.account_id == account_id).order_by(oauth_clients.c.created_at)
    rows = (await tx.execute(query)).mappings()
    return [noun(OAuthClient, row, secret=vault.open(row["sealed_secret"])["secret"]) for row in rows]


async def update_oauth_client(tx: Transaction, client: OAuthClient, *, vault: Vault) -> None:
    """Stores what changed of a client."""
    values = _values(client, vault, "id", "created_at")
    await tx.execute(update(oauth_clients).where(oauth_clients.c.id == client.id).values(values))


async def delete_oauth_client(tx: Transaction, id: UUID) -> None:
    """Takes a client away."""
    await tx.execute(delete(oauth_clients).where(oauth_clients.c.id == id))
