"""`collaborator`, and `team-app-collaborator` for apps of teams."""

from __future__ import annotations

from typing import Any
from uuid import uuid5

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for, permissions_of
from ..actions.share import permit, share, unshare
from ..core.account import Account
from ..core.app import App
from ..core.collaborator import Collaborator
from ..core.errors import Forbidden, Invalid, NotFound
from ..core.permission import DESCRIPTIONS, EVERY, USUAL, Permission, permissions_named
from ..core.team import Role
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.apps import list_collaborators
from ..store.teams import find_member, find_teams, list_members
from .auth import AppDep, CallerDep, OwnedAppDep, PlatformDep
from .body import json_body, named
from .parts import iso, telling
from .ranges import listed
from .routing import Router

router = Router()


def shown_permissions(held: frozenset[Permission]) -> list[dict[str, str]]:
    """The schema's `team-app-permission`, by name."""
    return [{"name": each.value, "description": DESCRIPTIONS[each]} for each in sorted(held)]


def shown(place: Collaborator, who: tuple[str, str], app: App, *, role: str = "collaborator") -> dict[str, Any]:
    """The schema's `collaborator`; `who` is an address and an id."""
    return {
        "app": {"id": str(app.id), "name": app.name},
        "created_at": iso(place.created_at),
        "id": str(place.id),
        "permissions": shown_permissions(place.permissions),
        "role": role,
        "updated_at": iso(place.updated_at),
        "user": {"email": who[0], "federated": False, "id": who[1]},
    }


def _who(account: Account) -> tuple[str, str]:
    return account.email, str(account.id)


async def _all(app: App, platform: Platform) -> list[dict[str, Any]]:
    """The owner first; a team stands there under its address."""
    own = Collaborator(uuid5(app.id, "owner"), app.id, app.owner_id, app.created_at, app.created_at, EVERY)
    async with platform.db.reading() as tx:
        places = await list_collaborators(tx, app.id)
        accounts = await find_accounts(tx, {app.owner_id, *(place.account_id for place in places)})
        teams = await find_teams(tx, {app.team_id} if app.team_id else set())
        roles = {member.account_id: member.role for member in await list_members(tx, app.team_id)} if app.team_id else {}
    owner = next(((team.address, str(team.id)) for team in teams.values()), _who(accounts[app.owner_id]))
    others = [shown(p, _who(accounts[p.account_id]), app, role=roles.get(p.account_id, Role.COLLABORATOR)) for p in places]
    return [shown(own, owner, app, role="owner"), *others]


@router.get("/apps/{app}/collaborators")
@router.get("/teams/apps/{app}/collaborators")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List, the owner first."""
    return listed(request, await _all(app, platform), fields=("created_at", "id"))


@router.get("/apps/{app}/collaborators/{email}")
@router.get("/teams/apps/{app}/collaborators/{email}")
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
    return JSONResponse(shown(place, _who(account), app), 201)


@router.post("/teams/apps/{app}/collaborators")
async def create_of_team(request: Request, app: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create, with permissions; a member of the team may join an app that is not locked."""
    async with platform.db.reading() as tx:
        found = await app_for(tx, caller.account, app)
        manages = Permission.MANAGE in await permissions_of(tx, caller.account, found)
        member = await find_member(tx, found.team_id, caller.account.id) if found.team_id else None
    body = await json_body(request)
    email = named(body, "user")
    if not email:
        raise Invalid("`user` is missing; give an e-mail address.", app=found.name)
    permissions = permissions_named(body["permissions"]) if body.get("permissions") is not None else USUAL
    joins = email.lower() == caller.account.email and member and member.role is Role.MEMBER and not found.is_locked
    if not manages and not joins:
        raise Forbidden(f"Only who manages {found.name} may say who has access; ask an admin of the team.", app=found.name)
    place, account = await share(found, email, by=caller.account, permissions=permissions if manages else USUAL, **telling(platform))
    return JSONResponse(shown(place, _who(account), found), 201)


@router.patch("/teams/apps/{app}/collaborators/{email}")
async def update_of_team(request: Request, email: str, app: OwnedAppDep, platform: PlatformDep) -> JSONResponse:
    """Update: other permissions."""
    permissions = permissions_named((await json_body(request)).get("permissions"))
    place, account = await permit(app, email, permissions, db=platform.db, clock=platform.clock)
    return JSONResponse(shown(place, _who(account), app))


@router.delete("/apps/{app}/collaborators/{email}")
@router.delete("/teams/apps/{app}/collaborators/{email}")
async def delete(email: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete; who does not manage the app may take away only their own access."""
    async with platform.db.reading() as tx:
        manages = Permission.MANAGE in await permissions_of(tx, caller.account, app)
    if not manages and email.lower() not in (caller.account.email, str(caller.account.id)):
        raise Forbidden(f"Only who owns or manages {app.name} may do this; ask them.", app=app.name)
    place, account = await unshare(app, email, by=caller.account, **telling(platform))
    return JSONResponse(shown(place, _who(account), app))
