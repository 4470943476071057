"""`team-app`: apps of teams, and any app under the paths by which clients transfer and lock them.

Source: schema `team-app`
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import team_for
from ..actions.create import change, create
from ..actions.transfer import transfer
from ..core.app import App
from ..core.errors import Invalid
from ..platform import Platform
from ..store.apps import find_collaborator, list_apps
from .apps import shown_all
from .auth import AppDep, Caller, CallerDep, OwnedAppDep, PlatformDep
from .body import flag, json_body, named, text
from .parts import telling, waking
from .ranges import listed
from .routing import Router

router = Router()


async def _shown(apps: list[App], caller: Caller, platform: Platform) -> list[dict[str, Any]]:
    """The schema's `team-app`: an app, and whether the caller joined it."""
    async with platform.db.reading() as tx:
        joined = [await find_collaborator(tx, app.id, caller.account.id) is not None for app in apps]
    return [{**one, "joined": is_in} for one, is_in in zip(await shown_all(apps, platform), joined, strict=True)]


@router.get("/teams/apps")
@router.get("/teams/{team}/apps")
async def index(request: Request, caller: CallerDep, platform: PlatformDep, team: str | None = None) -> JSONResponse:
    """List: apps of the account's teams, or of one, that it may see."""
    async with platform.db.reading() as tx:
        found = await team_for(tx, caller.account, team) if team else None
        apps = [app for app in await list_apps(tx, caller.account.id) if app.team_id and (found is None or app.team_id == found.id)]
    return listed(request, await _shown(apps, caller, platform), fields=("id", "name", "updated_at"))


@router.post("/teams/apps")
async def create_app(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: with `team` for a team, else for the account itself."""
    body = await json_body(request)
    if named(body, "space"):
        raise Invalid("This platform has no private spaces; create the app without one.")
    app = await create(
        text(body, "name", most=100),
        by=caller.account,
        stack=named(body, "stack"),
        team=named(body, "team") or named(body, "organization"),
        is_locked=bool(flag(body, "locked")),
        vault=platform.vault,
        **waking(platform),
    )
    return JSONResponse((await _shown([app], caller, platform))[0], 201)


@router.get("/teams/apps/{app}")
async def info(app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse((await _shown([app], caller, platform))[0])


@router.patch("/teams/apps/{app}")
async def update(request: Request, app: OwnedAppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: another owner (a team, or a person of the team), or whether members of the team may join it."""
    body = await json_body(request)
    recipient, is_locked = named(body, "owner"), flag(body, "locked")
    if recipient:
        app = await transfer(app, recipient, by=caller.account, **telling(platform))
    if is_locked is not None:
        if app.team_id is None:
            raise Invalid(f"{app.name} belongs to no team; there is nobody to lock out.", app=app.name)
        app = await change(app, by=caller.account, is_locked=is_locked, **waking(platform))
    return JSONResponse((await _shown([app], caller, platform))[0])
