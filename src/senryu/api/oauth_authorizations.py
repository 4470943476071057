"""`oauth-authorization`: tokens, and logging in with a password.

Source: https://devcenter.heroku.com/articles/oauth
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.authenticate import authenticate, authorize, check_password, fresh_token, hashed_token
from ..actions.two_factor import check_code
from ..core.account import Account, Authorization
from ..core.errors import Forbidden, Invalid, NotFound
from ..core.oauth_client import SCOPES
from ..core.two_factor import HEADER
from ..platform import Platform
from ..store.authorizations import delete_authorization, list_authorizations, update_authorization
from ..store.oauth_grants import granted_clients
from .auth import Caller, CallerDep, PlatformDep, credentials, guard_of, permits
from .body import json_body, number, text
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()
Client = tuple[UUID, str, str]
_LONGEST_S = 10 * 365 * 24 * 3600


def shown(
    authorization: Authorization, account: Account, platform: Platform, token: str | None = None, client: Client | None = None
) -> dict[str, Any]:
    """The schema's `oauth-authorization`; the token in full only when it is new."""
    expires_in = None
    if authorization.expires_at is not None:
        expires_in = max(0, int((authorization.expires_at - platform.clock.now()).total_seconds()))
    return {
        "access_token": {"id": str(authorization.id), "token": token or authorization.masked, "expires_in": expires_in},
        "client": {"id": str(client[0]), "name": client[1], "redirect_uri": client[2]} if client else None,
        "created_at": iso(authorization.created_at),
        "description": authorization.description,
        "grant": None,
        "id": str(authorization.id),
        "refresh_token": None,
        "scope": list(authorization.scope),
        "session": None,
        "updated_at": iso(authorization.updated_at),
        "user": {"id": str(account.id), "email": account.email, "full_name": account.name},
    }


async def _account_of(request: Request, platform: Platform) -> Account:
    """By token, or by e-mail address and password (only here), with the code of the second factor the account has."""
    user, password = credentials(request.headers.get("authorization", ""))
    if "@" in user:
        guard = guard_of(request)
        account = await check_password(user, password, place=guard.place, db=platform.db, clock=platform.clock, attempts=guard.attempts)
        await check_code(account, request.headers.get(HEADER), guard=guard)
        return account
    account, authorization = await authenticate(password or user, db=platform.db, clock=platform.clock)
    if not permits(authorization.scope, request.method, request.url.path):
        raise Forbidden("This token's scope does not allow making tokens; use one with the scope `global`.")
    return account


@router.post("/oauth/authorizations")
async def create(request: Request, platform: PlatformDep) -> JSONResponse:
    """Create: a token, for a token or for a password."""
    account = await _account_of(request, platform)
    body = await json_body(request)
    scope = body.get("scope") or ["global"]
    if not isinstance(scope, list) or not set(map(str, scope)) <= SCOPES:
        raise Invalid(f"`scope` must be a list of {', '.join(sorted(SCOPES))}.")
    expires_in = number(body, "expires_in", least=1, most=_LONGEST_S)
    async with platform.db.transaction() as tx:
        made, token = await authorize(
            account,
            tx,
            clock=platform.clock,
            description=text(body, "description", most=255) or "Long-lived user authorization",
            scope=tuple(map(str, scope)),
            expires_in_s=expires_in,
        )
    return JSONResponse(shown(made, account, platform, token), 201)


@router.get("/oauth/authorizations")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        found = await list_authorizations(tx, caller.account.id)
        clients = await granted_clients(tx, caller.account.id)
    every = [shown(each, caller.account, platform, client=clients.get(each.id)) for each in found]
    return listed(request, every, fields=("id", "created_at"))


async def _own(id: str, caller: Caller, platform: Platform) -> Authorization:
    async with platform.db.reading() as tx:
        found = [each for each in await list_authorizations(tx, caller.account.id) if str(each.id) == id]
    if not found:
        raise NotFound("Couldn't find that authorization.")
    return found[0]


@router.get("/oauth/authorizations/~")
async def own_key(caller: CallerDep) -> JSONResponse:
    """The account's API key of old; there is none here, which clients take as such."""
    return JSONResponse({"id": "not_found", "resource": "authorization", "message": "Couldn't find that authorization."}, 404)


@router.get("/oauth/authorizations/{id}")
async def info(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    async with platform.db.reading() as tx:
        clients = await granted_clients(tx, caller.account.id)
    found = await _own(id, caller, platform)
    return JSONResponse(shown(found, caller.account, platform, client=clients.get(found.id)))


@router.patch("/oauth/authorizations/{id}")
async def update(id: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the description."""
    found = await _own(id, caller, platform)
    description = text(await json_body(request), "description", most=255) or found.description
    changed = replace(found, description=description, updated_at=platform.clock.now())
    async with platform.db.transaction() as tx:
        await update_authorization(tx, changed)
    return JSONResponse(shown(changed, caller.account, platform))


@router.post("/oauth/authorizations/{id}/actions/regenerate-tokens")
async def regenerate(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Regenerate: a new token in place of the old one, which is worth nothing from then on."""
    found = await _own(id, caller, platform)
    token, masked = fresh_token()
    now = platform.clock.now()
    lasts = found.expires_at - found.created_at if found.expires_at else None
    expires_at = now + timedelta(seconds=lasts.total_seconds()) if lasts else None
    changed = replace(found, token_hash=hashed_token(token), masked=masked, updated_at=now, expires_at=expires_at)
    async with platform.db.transaction() as tx:
        await update_authorization(tx, changed)
    return JSONResponse(shown(changed, caller.account, platform, token))


@router.delete("/oauth/authorizations/{id}")
async def delete(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    found = await _own(id, caller, platform)
    async with platform.db.transaction() as tx:
        await delete_authorization(tx, found.id)
    return JSONResponse(shown(found, caller.account, platform))


@router.delete("/oauth/sessions/~")
async def log_out(caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete the session: the token that asks is worth nothing from now on."""
    async with platform.db.transaction() as tx:
        await delete_authorization(tx, caller.authorization.id)
    return JSONResponse(shown(caller.authorization, caller.account, platform))
