"""`oauth-client`.

Source: schema `oauth-client`
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.oauth_clients import change_client, find_client, register_client, remove_client
from ..core.oauth_client import OAuthClient
from ..platform import Platform
from ..store.oauth_clients import list_oauth_clients
from .auth import Caller, CallerDep, PlatformDep
from .body import json_body, needed_text, text
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()


def shown(client: OAuthClient) -> dict[str, Any]:
    """The schema's `oauth-client`."""
    return {
        "created_at": iso(client.created_at),
        "id": str(client.id),
        "ignores_delinquent": None,
        "name": client.name,
        "redirect_uri": client.redirect_uri,
        "secret": client.secret,
        "updated_at": iso(client.updated_at),
    }


async def _own(id: str, caller: Caller, platform: Platform) -> OAuthClient:
    return await find_client(id, by=caller.account, db=platform.db, vault=platform.vault)


@router.get("/oauth/clients")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        clients = await list_oauth_clients(tx, caller.account.id, vault=platform.vault)
    return listed(request, [shown(client) for client in clients], fields=("id", "updated_at"))


@router.post("/oauth/clients")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create."""
    body = await json_body(request)
    client = await register_client(
        needed_text(body, "name", most=255),
        needed_text(body, "redirect_uri", most=2000),
        by=caller.account,
        db=platform.db,
        vault=platform.vault,
        clock=platform.clock,
    )
    return JSONResponse(shown(client), 201)


@router.get("/oauth/clients/{id}")
async def info(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse(shown(await _own(id, caller, platform)))


@router.patch("/oauth/clients/{id}")
async def update(id: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: name, address."""
    body, client = await json_body(request), await _own(id, caller, platform)
    name, uri = text(body, "name", most=255), text(body, "redirect_uri", most=2000)
    changed = await change_client(client, name=name, redirect_uri=uri, db=platform.db, vault=platform.vault, clock=platform.clock)
    return JSONResponse(shown(changed))


@router.post("/oauth/clients/{id}/actions/rotate-credentials")
async def rotate(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Rotate credentials: a new secret in place of the old one."""
    client = await _own(id, caller, platform)
    return JSONResponse(shown(await change_client(client, rotate=True, db=platform.db, vault=platform.vault, clock=platform.clock)))


@router.delete("/oauth/clients/{id}")
async def delete(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    client = await _own(id, caller, platform)
    await remove_client(client, db=platform.db)
    return JSONResponse(shown(client))
