"""What OAuth clients were let in for: codes that are traded once, tokens that are traded for new ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.account import Account
from ..core.oauth_client import OAuthClient
from .account_tables import oauth_codes, oauth_grants
from .database import Transaction
from .rows import columns, noun
from .tables import accounts, authorizations, oauth_clients
from .vault import Vault


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """A code on its way from the person's browser to the client."""

    code_hash: str
    client_id: UUID
    account_id: UUID
    scope: tuple[str, ...]
    redirect_uri: str
    expires_at: datetime
    authorization_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OAuthGrant:
    """What an authorization was made for: a client, and the token it gets the next one with."""

    authorization_id: UUID
    client_id: UUID
    refresh_hash: str
    spent_hash: str | None = None


async def find_oauth_client(tx: Transaction, id: UUID, *, vault: Vault) -> OAuthClient | None:
    """A client, whoever registered it."""
    row: Any = (await tx.execute(select(oauth_clients).where(oauth_clients.c.id == id))).mappings().first()
    return noun(OAuthClient, row, secret=vault.open(row["sealed_secret"])["secret"]) if row else None


async def create_oauth_code(tx: Transaction, code: OAuthCode, now: datetime) -> None:
    """Stores a code, and forgets those that ended long ago."""
    await tx.execute(delete(oauth_codes).where(oauth_codes.c.expires_at < now))
    await tx.execute(insert(oauth_codes).values(columns(code)))


async def find_oauth_code(tx: Transaction, code_hash: str) -> OAuthCode | None:
    """A code, used or not, held until the transaction ends."""
    row: Any = (await tx.execute(select(oauth_codes).where(oauth_codes.c.code_hash == code_hash).with_for_update())).mappings().first()
    return noun(OAuthCode, row, scope=tuple(row["scope"])) if row else None


async def spend_oauth_code(tx: Transaction, code_hash: str, authorization_id: UUID) -> None:
    """Notes what a code was traded for."""
    await tx.execute(update(oauth_codes).where(oauth_codes.c.code_hash == code_hash).values(authorization_id=authorization_id))


async def create_oauth_grant(tx: Transaction, grant: OAuthGrant) -> None:
    """Stores a grant."""
    await tx.execute(insert(oauth_grants).values(columns(grant)))


async def find_oauth_grant(tx: Transaction, refresh_hash: str) -> tuple[OAuthGrant, bool] | None:
    """The grant of a refresh token, and whether the token is the one that counts (else it is spent)."""
    wanted = (oauth_grants.c.refresh_hash == refresh_hash) | (oauth_grants.c.spent_hash == refresh_hash)
    row: Any = (await tx.execute(select(oauth_grants).where(wanted).with_for_update())).mappings().first()
    return (noun(OAuthGrant, row), row["refresh_hash"] == refresh_hash) if row else None


async def renew_oauth_grant(tx: Transaction, grant: OAuthGrant, refresh_hash: str) -> None:
    """Another refresh token counts from now on."""
    values = {"refresh_hash": refresh_hash, "spent_hash": grant.refresh_hash}
    await tx.execute(update(oauth_grants).where(oauth_grants.c.authorization_id == grant.authorization_id).values(values))


async def granted_clients(tx: Transaction, account_id: UUID) -> dict[UUID, tuple[UUID, str, str]]:
    """The clients an account let in: id, name, redirect address, by authorization."""
    query = select(oauth_grants.c.authorization_id, oauth_clients.c.id, oauth_clients.c.name, oauth_clients.c.redirect_uri)
    query = query.join(oauth_clients, oauth_grants.c.client_id == oauth_clients.c.id)
    query = query.join(authorizations, authorizations.c.id == oauth_grants.c.authorization_id)
    rows = (await tx.execute(query.where(authorizations.c.account_id == account_id))).all()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def revoke_oauth_grants(tx: Transaction, client_id: UUID) -> None:
    """Every token that was given to a client is worth nothing from now on."""
    held = select(oauth_grants.c.authorization_id).where(oauth_grants.c.client_id == client_id)
    await tx.execute(delete(authorizations).where(authorizations.c.id.in_(held)))


async def account_of(tx: Transaction, id: UUID) -> Account:
    """The account a code is for."""
    return noun(Account, (await tx.execute(select(accounts).where(accounts.c.id == id))).mappings().one())
