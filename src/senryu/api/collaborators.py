"""`collaborator`."""

from __future__ import annotations

from typing import Any
from uuid import uuid5

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..actions.share import share, unshare
from ..core.account import Account
from ..core.app import App
from ..core.collaborator import Collaborator
from ..core.errors import Forbidden, Invalid, NotFound
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.apps import list_collaborators
from .auth import AppDep, CallerDep, OwnedAppDep, PlatformDep
from .body import json_body, named
from .parts import iso, telling
from .ranges import listed

router = APIRouter()
_PERMISSIONS = [
    {"name": "deploy", "description": "Can deploy"},
    {"name": "operate", "description": "Can operate"},
    {"name": "view", "description": "Can view"},
]


def shown(place: Collaborator, account: Account, app: App, *, role: str = "collaborator") -> dict[str, Any]:
    """The schema's `collaborator`."""
    return {
        "app": {"id": str(app.id), "name": app.name},
        "created_at": iso(place.created_at),
        "id": str(place.id),
        "permissions": _PERMISSIONS if role == "collaborator" else [*_PERMISSIONS, {"name": "manage", "description": "Can manage"}],
        "role": role,
        "updated_at": iso(place.updated_at),
        "user": {"email": account.email, "federated": False, "id": str(account.id)},
    }


async def _all(app: App, platform: Platform) -> list[dict[str, Any]]:
    async with platform.db.reading() as tx:
        places = await list_collaborators(tx, app.id)
        accounts = await find_accounts(tx, {app.owner_id, *(place.account_id for place in places)})
    own = Collaborator(uuid5(app.id, "owner"), app.id, app.owner_id, app.created_at, app.created_at)
    others = [shown(place, accounts[place.account_id], app) for place in places]
    return [shown(own, accounts[app.owner_id], app, role="owner"), *others]


@router.get("/apps/{app}/collaborators")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List, the owner first."""
    return listed(request, await _all(app, platform), fields=("created_at", "id"))


@router.get("/apps/{app}/collaborators/{email}")
async def info(email: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    for place in await _all(app, platform):
        if email.lower() in (place["user"]["email"], place["user"]["id"], place["id"]):
            return JSONResponse(place)
    raise NotFound(f"{email[:80]} is not a collaborator of {app.name}.", app=app.name)


@router.post("/apps/{app}/collaborators")
async def create(request: Request, app: OwnedAppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create."""
    email = named(await json_body(request), "user")
    if not email:
        raise Invalid("`user` is missing; give an e-mail address.")
    place, account = await share(app, email, by=caller.account, **telling(platform))
    return JSONResponse(shown(place, account, app), 201)


@router.delete("/apps/{app}/collaborators/{email}")
async def delete(email: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete; collaborators may take away only their own access."""
    if app.owner_id != caller.account.id and email.lower() not in (caller.account.email, str(caller.account.id)):
        raise Forbidden(f"Only the owner of {app.name} may do this; ask them.", app=app.name)
    place, account = await unshare(app, email, by=caller.account, **telling(platform))
    return JSONResponse(shown(place, account, app))
