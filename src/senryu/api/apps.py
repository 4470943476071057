"""`app`.

Source: schema `app`
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..actions.create import change, create
from ..actions.destroy import destroy
from ..core.account import Account
from ..core.app import App
from ..core.errors import Forbidden, NotFound
from ..core.stack import HOST
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.apps import list_apps
from ..store.stacks import list_stacks
from .auth import AppDep, Caller, CallerDep, OwnedAppDep, PlatformDep
from .body import flag, json_body, named, text
from .links import origin
from .parts import clearing, iso, waking
from .ranges import listed
from .regions import REGION

router = APIRouter()
_STACKS = UUID("3f1b8f57-6f2d-4a55-9e67-3a2c3fd4d5a1")


def stack_id(name: str) -> str:
    """A stack's id, the same on every machine for `host`."""
    return str(uuid5(_STACKS, name))


def shown(app: App, owner: Account, platform: Platform, stacks: dict[str, str] | None = None) -> dict[str, Any]:
    """The schema's `app`, with the fields clients read beyond it."""
    ids = {HOST: stack_id(HOST), **(stacks or {})}
    return {
        "acm": False,
        "archived_at": None,
        "build_stack": {"id": ids.get(app.build_stack, stack_id(app.build_stack)), "name": app.build_stack},
        "buildpack_provided_description": app.buildpack_provided_description,
        "create_status": "complete",
        "created_at": iso(app.created_at),
        "generation": {"name": "cedar"},
        "git_url": f"{origin(platform)}/{app.name}.git",
        "id": str(app.id),
        "internal_routing": None,
        "locked": False,
        "maintenance": app.is_maintenance,
        "name": app.name,
        "organization": None,
        "owner": {"email": owner.email, "id": str(owner.id)},
        "process_tier": "production",
        "region": {"id": REGION["id"], "name": REGION["name"]},
        "released_at": iso(app.released_at),
        "repo_size": app.repo_size_bytes,
        "slug_size": app.slug_size_bytes,
        "space": None,
        "stack": {"id": ids.get(app.stack, stack_id(app.stack)), "name": app.stack},
        "team": None,
        "updated_at": iso(app.updated_at),
        "web_url": platform.settings.web_url(app.name),
    }


async def _owners(apps: list[App], platform: Platform) -> tuple[dict[UUID, Account], dict[str, str]]:
    async with platform.db.reading() as tx:
        owners = await find_accounts(tx, {app.owner_id for app in apps})
        return owners, {stack.name: str(stack.id) for stack in await list_stacks(tx)}


async def shown_all(apps: list[App], platform: Platform) -> list[dict[str, Any]]:
    """Each as `shown` gives it."""
    owners, stacks = await _owners(apps, platform)
    return [shown(app, owners[app.owner_id], platform, stacks) for app in apps]


async def _one(app: App, platform: Platform) -> dict[str, Any]:
    owners, stacks = await _owners([app], platform)
    return shown(app, owners[app.owner_id], platform, stacks)


@router.get("/apps")
@router.get("/users/{user}/apps")
async def index(request: Request, caller: CallerDep, platform: PlatformDep, user: str = "~") -> JSONResponse:
    """List: the apps the account owns or works on; under `/users/~` those it owns."""
    if user not in ("~", caller.account.email, str(caller.account.id)):
        raise NotFound("Couldn't find that user.")
    async with platform.db.reading() as tx:
        apps = await list_apps(tx, caller.account.id)
    if request.url.path != "/apps":
        apps = [app for app in apps if app.owner_id == caller.account.id]
    return listed(request, await shown_all(apps, platform), fields=("id", "name", "updated_at"))


@router.post("/apps")
async def create_app(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create."""
    body = await json_body(request)
    name, stack = text(body, "name", most=100), named(body, "stack")
    app = await create(name, by=caller.account, stack=stack, vault=platform.vault, **waking(platform))
    return JSONResponse(await _one(app, platform), 201)


@router.get("/apps/{app}")
async def info(app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse(await _one(app, platform))


@router.patch("/apps/{app}")
async def update(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the name (owner only), maintenance, the stack of the next build."""
    body = await json_body(request)
    name = text(body, "name", most=100)
    _owner_renames(app, caller, name)
    changed = await change(
        app,
        by=caller.account,
        name=name,
        is_maintenance=flag(body, "maintenance"),
        build_stack=named(body, "build_stack"),
        **waking(platform),
    )
    return JSONResponse(await _one(changed, platform))


def _owner_renames(app: App, caller: Caller, name: str | None) -> None:
    if name is not None and app.owner_id != caller.account.id:
        raise Forbidden(f"Only the owner of {app.name} may rename it; ask them.", app=app.name)


@router.delete("/apps/{app}")
async def delete(app: OwnedAppDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    answer = await _one(app, platform)
    await destroy(app, vault=platform.vault, supervision=platform.supervision, clock=platform.clock, **clearing(platform))
    return JSONResponse(answer)
