"""`app`.

Source: schema `app`
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.create import change, create
from ..actions.destroy import destroy
from ..core.account import Account
from ..core.app import App
from ..core.errors import NotFound
from ..core.stack import HOST
from ..core.team import Team
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.apps import list_apps
from ..store.database import Transaction
from ..store.dyno_sizes import list_sizes
from ..store.sleeping import list_sleepers
from ..store.stacks import list_stacks
from ..store.teams import find_teams
from .auth import AppDep, CallerDep, OwnedAppDep, PlatformDep, owned_app
from .body import flag, json_body, named, text
from .links import origin
from .parts import clearing, iso, releasing, waking
from .ranges import listed
from .regions import REGION
from .routing import Router

router = Router()
_STACKS = UUID("3f1b8f57-6f2d-4a55-9e67-3a2c3fd4d5a1")


def stack_id(name: str) -> str:
    """A stack's id, the same on every machine for `host`."""
    return str(uuid5(_STACKS, name))


def shown(
    app: App, owner: Account, platform: Platform, stacks: dict[str, str], team: Team | None = None, tier: str = "production"
) -> dict[str, Any]:
    """The schema's `app`, with the fields clients read beyond it. `tier`: the pooled size that it keeps to, else `production`."""
    ids = {HOST: stack_id(HOST), **stacks}
    of_team = {"id": str(team.id), "name": team.name} if team else None
    return {
        "acm": app.is_acm,
        "archived_at": None,
        "build_stack": {"id": ids.get(app.build_stack, stack_id(app.build_stack)), "name": app.build_stack},
        "buildpack_provided_description": app.buildpack_provided_description,
        "create_status": "complete",
        "created_at": iso(app.created_at),
        "generation": {"name": "cedar"},
        "git_url": f"{origin(platform)}/{app.name}.git",
        "id": str(app.id),
        "internal_routing": None,
        "locked": app.is_locked,
        "maintenance": app.is_maintenance,
        "name": app.name,
        "organization": of_team,
        "owner": {"email": team.address, "id": str(team.id)} if team else {"email": owner.email, "id": str(owner.id)},
        "process_tier": tier,
        "region": {"id": REGION["id"], "name": REGION["name"]},
        "released_at": iso(app.released_at),
        "repo_size": app.repo_size_bytes,
        "slug_size": app.slug_size_bytes,
        "space": None,
        "stack": {"id": ids.get(app.stack, stack_id(app.stack)), "name": app.stack},
        "team": of_team,
        "updated_at": iso(app.updated_at),
        "web_url": platform.settings.web_url(app.name),
    }


async def shown_all(apps: list[App], platform: Platform) -> list[dict[str, Any]]:
    """Each as `shown` gives it."""
    owner_ids, team_ids = frozenset(app.owner_id for app in apps), frozenset(app.team_id for app in apps if app.team_id)

    async def named(tx: Transaction) -> tuple[dict[UUID, Account], dict[UUID, Team], dict[str, str], dict[UUID, str]]:
        stacks = {stack.name: str(stack.id) for stack in await list_stacks(tx)}
        sizes = await list_sizes(tx)
        sleepers = await list_sleepers(tx, {size.key for size in sizes if size.is_pooled})
        tiers = {sleeper.app_id: pool for sleeper in sleepers if (pool := sleeper.pool(sizes))}
        return await find_accounts(tx, set(owner_ids)), await find_teams(tx, set(team_ids)), stacks, tiers

    owners, teams, stacks, tiers = await platform.db.remembered(("shown", owner_ids, team_ids), named)
    return [
        shown(app, owners[app.owner_id], platform, stacks, teams.get(app.team_id) if app.team_id else None, tiers.get(app.id, "production"))
        for app in apps
    ]


async def shown_one(app: App, platform: Platform) -> dict[str, Any]:
    """As `shown` gives it."""
    return (await shown_all([app], platform))[0]


@router.get("/apps")
@router.get("/users/{user}/apps")
async def index(request: Request, caller: CallerDep, platform: PlatformDep, user: str = "~") -> JSONResponse:
    """List: the apps the account owns or works on; under `/users/~` without those of teams."""
    if user not in ("~", caller.account.email, str(caller.account.id)):
        raise NotFound("Couldn't find that user.")
    async with platform.db.reading() as tx:
        apps = await list_apps(tx, caller.account.id)
    if request.url.path != "/apps":
        apps = [app for app in apps if app.team_id is None]
    return listed(request, await shown_all(apps, platform), fields=("id", "name", "updated_at"))


@router.post("/apps")
async def create_app(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create."""
    body = await json_body(request)
    name, stack = text(body, "name", most=100), named(body, "stack")
    app = await create(name, by=caller.account, stack=stack, vault=platform.vault, **waking(platform))
    return JSONResponse(await shown_one(app, platform), 201)


@router.get("/apps/{app}")
async def info(app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse(await shown_one(app, platform))


@router.patch("/apps/{app}")
async def update(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the name (who manages it only), maintenance, the stack of the next build."""
    body = await json_body(request)
    name = text(body, "name", most=100)
    if name is not None:
        await owned_app(str(app.id), caller, platform)
    changed = await change(
        app,
        by=caller.account,
        name=name,
        is_maintenance=flag(body, "maintenance"),
        build_stack=named(body, "build_stack"),
        **waking(platform),
    )
    return JSONResponse(await shown_one(changed, platform))


@router.delete("/apps/{app}")
async def delete(app: OwnedAppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    answer = await shown_one(app, platform)
    parts = clearing(platform)
    await destroy(app, by=caller.account, releasing=releasing(platform), certifying=platform.certifying, **parts)
    return JSONResponse(answer)
