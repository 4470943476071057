"""`team`, `team-member`, `team-feature`, `team-invitation`.

Source: schema `team` and those that begin with it; wire contract 5.10
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import team_for
from ..actions.teams import dissolve_team, expel_member, found_team, rename_team, set_member
from ..core.account import Account
from ..core.errors import Invalid, NotFound
from ..core.permission import EVERY
from ..core.team import Role, Team, TeamMember, role_named
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.teams import find_teams, list_members, list_memberships
from .auth import Caller, CallerDep, PlatformDep
from .body import json_body, needed_text, text
from .collaborators import shown_permissions
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()
_INSIDERS = (Role.ADMIN, Role.MEMBER, Role.VIEWER)


def shown(team: Team, role: Role | None) -> dict[str, Any]:
    """The schema's `team`, as someone with a role sees it."""
    return {
        "created_at": iso(team.created_at),
        "credit_card_collections": False,
        "default": False,
        "enterprise_account": None,
        "id": str(team.id),
        "identity_provider": None,
        "membership_limit": None,
        "name": team.name,
        "provisioned_licenses": False,
        "role": role,
        "type": "team",
        "updated_at": iso(team.updated_at),
    }


def _shown_member(member: TeamMember, account: Account) -> dict[str, Any]:
    """The schema's `team-member`."""
    return {
        "created_at": iso(member.created_at),
        "email": account.email,
        "federated": False,
        "id": str(member.id),
        "identity_provider": None,
        "role": member.role,
        "two_factor_authentication": False,
        "updated_at": iso(member.updated_at),
        "user": {"email": account.email, "id": str(account.id), "name": account.name},
    }


async def _team(name: str, caller: Caller, platform: Platform, *roles: Role) -> Team:
    async with platform.db.reading() as tx:
        return await team_for(tx, caller.account, name, *roles)


async def _role(team: Team, caller: Caller, platform: Platform) -> Role | None:
    async with platform.db.reading() as tx:
        return next((each.role for each in await list_memberships(tx, caller.account.id) if each.team_id == team.id), None)


@router.get("/teams")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: the teams the account is in."""
    async with platform.db.reading() as tx:
        roles = {member.team_id: member.role for member in await list_memberships(tx, caller.account.id)}
        found = await find_teams(tx, set(roles))
    return listed(request, [shown(team, roles[team.id]) for team in found.values()], fields=("id", "name", "updated_at"))


@router.post("/teams")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create; who makes a team is its first admin."""
    name = needed_text(await json_body(request), "name", most=100)
    team = await found_team(name, by=caller.account, db=platform.db, clock=platform.clock)
    return JSONResponse(shown(team, Role.ADMIN), 201)


@router.get("/teams/permissions")
async def permissions(caller: CallerDep) -> JSONResponse:
    """The permissions there are."""
    return JSONResponse(shown_permissions(EVERY))


@router.get("/teams/{team}")
async def info(team: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    found = await _team(team, caller, platform)
    return JSONResponse(shown(found, await _role(found, caller, platform)))


@router.patch("/teams/{team}")
async def update(team: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the name. Admins only."""
    name = text(await json_body(request), "name", most=100)
    changed = await rename_team(team, name, by=caller.account, db=platform.db, clock=platform.clock)
    return JSONResponse(shown(changed, Role.ADMIN))


@router.delete("/teams/{team}")
async def delete(team: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete a team that owns no apps. Admins only."""
    return JSONResponse(shown(await dissolve_team(team, by=caller.account, db=platform.db), Role.ADMIN))


@router.get("/teams/{team}/members")
async def members(team: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List members; not for collaborators."""
    found = await _team(team, caller, platform, *_INSIDERS)
    async with platform.db.reading() as tx:
        listing = await list_members(tx, found.id)
        accounts = await find_accounts(tx, {member.account_id for member in listing})
    return listed(request, [_shown_member(each, accounts[each.account_id]) for each in listing], fields=("email", "id"))


@router.put("/teams/{team}/members")
async def put_member(team: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Add a member, or give one another role. Admins only."""
    return await _set(team, request, caller, platform, is_new=True)


@router.patch("/teams/{team}/members")
async def update_member(team: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Give a member another role. Admins only."""
    return await _set(team, request, caller, platform, is_new=False)


async def _set(team: str, request: Request, caller: Caller, platform: Platform, *, is_new: bool) -> JSONResponse:
    body = await json_body(request)
    email, role = needed_text(body, "email", most=254), role_named(needed_text(body, "role"))
    member, account = await set_member(team, email, role, by=caller.account, db=platform.db, clock=platform.clock, is_new=is_new)
    return JSONResponse(_shown_member(member, account))


@router.delete("/teams/{team}/members/{email}")
async def delete_member(team: str, email: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Remove a member, also from the team's apps. Admins only, but anyone may leave."""
    member, account = await expel_member(team, email, by=caller.account, db=platform.db)
    return JSONResponse(_shown_member(member, account))


@router.get("/teams/{team}/features")
@router.get("/teams/{team}/invitations")
@router.get("/teams/{team}/addons")
async def none_of_team(team: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: empty. Members are added at once and not invited; nothing can be switched."""
    await _team(team, caller, platform)
    return listed(request, [])


@router.get("/teams/{team}/features/{feature}")
async def no_feature(team: str, feature: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Finds nothing."""
    found = await _team(team, caller, platform)
    raise NotFound(f"Couldn't find the feature {feature[:80]} of the team {found.name}.")


@router.put("/teams/{team}/invitations")
async def invite(team: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Refuses: whoever has an account is added at once."""
    await _team(team, caller, platform, Role.ADMIN)
    raise Invalid("Teams here send no invitations: have the person register, then add them with members:add.")


@router.get("/teams/{team}/usage")
async def usage(team: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """What the add-ons of a team's apps used this month: nothing."""
    found = await _team(team, caller, platform)
    return JSONResponse({"id": str(found.id), "name": found.name, "apps": []})
