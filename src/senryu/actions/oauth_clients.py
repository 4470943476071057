"""Registering programs as OAuth clients, and giving them new secrets."""

from __future__ import annotations

import secrets
from dataclasses import replace
from uuid import uuid4

from ..core.account import Account
from ..core.clock import Clock
from ..core.errors import Invalid, NotFound
from ..core.limits import OAUTH_CLIENTS_PER_ACCOUNT_MAX
from ..core.oauth_client import OAuthClient, checked_redirect_uri
from ..store.database import Database
from ..store.oauth_clients import create_oauth_client, delete_oauth_client, list_oauth_clients, update_oauth_client
from ..store.oauth_grants import revoke_oauth_grants
from ..store.vault import Vault


async def find_client(id: str, *, by: Account, db: Database, vault: Vault) -> OAuthClient:
    """One of an account's clients. Raises: NotFound."""
    async with db.reading() as tx:
        found = [client for client in await list_oauth_clients(tx, by.id, vault=vault) if str(client.id) == id]
    if not found:
        raise NotFound("Couldn't find that OAuth client.")
    return found[0]


async def register_client(name: str, redirect_uri: str, *, by: Account, db: Database, vault: Vault, clock: Clock) -> OAuthClient:
    """A new client with its secret. Raises: Invalid for a bad address or too many clients."""
    now = clock.now()
    client = OAuthClient(uuid4(), by.id, name, checked_redirect_uri(redirect_uri), secrets.token_urlsafe(32), now, now)
    async with db.transaction() as tx:
        if len(await list_oauth_clients(tx, by.id, vault=vault)) >= OAUTH_CLIENTS_PER_ACCOUNT_MAX:
            raise Invalid(f"Your account has {OAUTH_CLIENTS_PER_ACCOUNT_MAX} OAuth clients; destroy one first.")
        await create_oauth_client(tx, client, vault=vault)
    return client


async def change_client(
    client: OAuthClient,
    *,
    db: Database,
    vault: Vault,
    clock: Clock,
    name: str | None = None,
    redirect_uri: str | None = None,
    rotate: bool = False,
) -> OAuthClient:
    """Changes a client's name or address, or gives it a new secret. Raises: Invalid."""
    changed = replace(
        client,
        name=name or client.name,
        redirect_uri=checked_redirect_uri(redirect_uri) if redirect_uri else client.redirect_uri,
        secret=secrets.token_urlsafe(32) if rotate else client.secret,
        updated_at=clock.now(),
    )
    async with db.transaction() as tx:
        await update_oauth_client(tx, changed, vault=vault)
    return changed


async def remove_client(client: OAuthClient, *, db: Database) -> None:
    """Takes a client away, and every token it was given."""
    async with db.transaction() as tx:
        await revoke_oauth_grants(tx, client.id)
        await delete_oauth_client(tx, client.id)
