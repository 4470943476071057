"""Letting an OAuth client in: a code for the person's browser, traded once for a token; tokens traded for fresh ones.

Source: https://devcenter.heroku.com/articles/oauth#web-application-authorization; RFC 6749 sections 4.1, 6, 10.5; RFC 9700 section 2.2.2
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import structlog

from ..core.account import Account, Authorization
from ..core.clock import Clock
from ..core.errors import BadRequest, NotFound, Unauthorized
from ..core.limits import OAUTH_CODE_S, OAUTH_TOKEN_S
from ..core.oauth_client import SCOPES, OAuthClient
from ..store.authorizations import delete_authorization, find_authorization, update_authorization
from ..store.database import Database, Transaction
from ..store.oauth_grants import (
    OAuthCode,
    OAuthGrant,
    account_of,
    create_oauth_code,
    create_oauth_grant,
    find_oauth_client,
    find_oauth_code,
    find_oauth_grant,
    renew_oauth_grant,
    spend_oauth_code,
)
from ..store.vault import Vault
from .authenticate import authorize, fresh_token, hashed_token

_BAD_GRANT = "The code or refresh token is unknown, expired, or was used already; ask the person to authorize again."
_log = structlog.get_logger("oauth")


@dataclass(frozen=True, slots=True)
class Granted:
    """What a client is answered: both tokens, shown this once, and the record."""

    access_token: str
    refresh_token: str
    authorization: Authorization


async def asking_client(client_id: str, redirect_uri: str | None, *, db: Database, vault: Vault) -> OAuthClient:
    """The client that asks. Raises: NotFound; BadRequest when the address to lead back to is not exactly the registered one."""
    try:
        id = UUID(client_id)
    except ValueError:
        raise NotFound("Couldn't find that OAuth client; the program that sent you here must be registered.") from None
    async with db.reading() as tx:
        client = await find_oauth_client(tx, id, vault=vault)
    if client is None:
        raise NotFound("Couldn't find that OAuth client; the program that sent you here must be registered.")
    if redirect_uri is not None and redirect_uri != client.redirect_uri:
        raise BadRequest("`redirect_uri` is not the address that this OAuth client registered.")
    return client


def wanted_scope(text: str | None) -> tuple[str, ...]:
    """The scopes of a query, separated by commas or blanks; `identity` when there are none. Raises: BadRequest for others."""
    scope = tuple(dict.fromkeys((text or "identity").replace(",", " ").split())) or ("identity",)
    if not set(scope) <= SCOPES:
        raise BadRequest(f"`scope` must be of {', '.join(sorted(SCOPES))}.", id="invalid_scope")
    return scope


async def give_code(client: OAuthClient, account: Account, scope: tuple[str, ...], *, db: Database, clock: Clock) -> str:
    """A code for the client, good once and for five minutes."""
    code, now = secrets.token_urlsafe(32), clock.now()
    expires_at = now + timedelta(seconds=OAUTH_CODE_S)
    async with db.transaction() as tx:
        await create_oauth_code(tx, OAuthCode(hashed_token(code), client.id, account.id, scope, client.redirect_uri, expires_at), now)
    return code


async def _checked_client(tx: Transaction, id: UUID, secret: str, client_id: str | None, vault: Vault) -> OAuthClient:
    client = await find_oauth_client(tx, id, vault=vault)
    is_right = hmac.compare_digest((client.secret if client else secrets.token_urlsafe(32)).encode(), secret.encode())
    if client is None or not is_right or (client_id is not None and client_id.lower() != str(client.id)):
        raise Unauthorized("The client's id or secret is wrong.", id="invalid_client")
    return client


def _bad_grant() -> BadRequest:
    return BadRequest(_BAD_GRANT, id="invalid_grant")


async def trade_code(
    code: str, secret: str, *, client_id: str | None, redirect_uri: str | None, db: Database, vault: Vault, clock: Clock
) -> tuple[Granted, Account]:
    """Tokens for a code. One that comes a second time was stolen by somebody: what it was traded for is taken back.

    Raises: BadRequest (id `invalid_grant`), Unauthorized (id `invalid_client`).
    """
    async with db.transaction() as tx:
        found = await find_oauth_code(tx, hashed_token(code))
        if found is not None:
            client = await _checked_client(tx, found.client_id, secret, client_id, vault)
        if found is not None and found.authorization_id is not None:
            await delete_authorization(tx, found.authorization_id)
            _log.warning("OAuth code used twice", client=str(found.client_id), account=str(found.account_id))
        elif found is not None and found.expires_at > clock.now() and redirect_uri in (None, found.redirect_uri):
            account = await account_of(tx, found.account_id)
            made, token = await authorize(
                account, tx, clock=clock, description=client.name, scope=found.scope, expires_in_s=OAUTH_TOKEN_S
            )
            refresh, _ = fresh_token()
            await create_oauth_grant(tx, OAuthGrant(made.id, client.id, hashed_token(refresh)))
            await spend_oauth_code(tx, found.code_hash, made.id)
            return Granted(token, refresh, made), account
    raise _bad_grant()


async def trade_refresh_token(
    token: str, secret: str, *, client_id: str | None, db: Database, vault: Vault, clock: Clock
) -> tuple[Granted, Account]:
    """Fresh tokens, the refresh token included, in place of those there were. A spent one ends all of them.

    Raises: BadRequest (id `invalid_grant`), Unauthorized (id `invalid_client`).
    """
    async with db.transaction() as tx:
        found = await find_oauth_grant(tx, hashed_token(token))
        held = await find_authorization(tx, found[0].authorization_id) if found else None
        if found is not None and held is not None:
            await _checked_client(tx, found[0].client_id, secret, client_id, vault)
            if found[1]:
                return await _refreshed(tx, found[0], held, clock)
            await delete_authorization(tx, held.id)
            _log.warning("spent refresh token used", client=str(found[0].client_id), account=str(held.account_id))
    raise _bad_grant()


async def _refreshed(tx: Transaction, grant: OAuthGrant, held: Authorization, clock: Clock) -> tuple[Granted, Account]:
    (access, masked), (refresh, _), now = fresh_token(), fresh_token(), clock.now()
    expires_at = now + timedelta(seconds=OAUTH_TOKEN_S)
    changed = replace(held, token_hash=hashed_token(access), masked=masked, updated_at=now, expires_at=expires_at)
    await update_authorization(tx, changed)
    await renew_oauth_grant(tx, grant, hashed_token(refresh))
    return Granted(access, refresh, changed), await account_of(tx, held.account_id)
