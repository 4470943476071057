"""`formation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.scale import FormationChange, scale
from ..core.app import App
from ..core.errors import Invalid, NotFound
from ..core.formation import ProcessType
from ..platform import Platform
from ..store.formation import list_formation
from ..store.releases import latest_release
from .auth import AppDep, CallerDep, PlatformDep
from .body import entries, json_body, named, needed_text
from .parts import iso, waking
from .ranges import listed
from .routing import Router

router = Router()


def shown(entry: ProcessType, command: str, app: App) -> dict[str, Any]:
    """The schema's `formation`: one process type."""
    return {
        "app": {"id": str(app.id), "name": app.name},
        "command": command,
        "created_at": iso(entry.created_at),
        "docker_image": None,
        "id": str(entry.id),
        "quantity": entry.quantity,
        "size": entry.size,
        "type": entry.type,
        "updated_at": iso(entry.updated_at),
    }


async def _formation(app: App, platform: Platform) -> list[dict[str, Any]]:
    async with platform.db.reading() as tx:
        formation = await list_formation(tx, app.id)
        latest = await latest_release(tx, app.id, vault=platform.vault)
    commands: Mapping[str, str] = latest.process_types if latest else {}
    return [shown(entry, commands[entry.type], app) for entry in formation if entry.type in commands]


@router.get("/apps/{app}/formation")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    return listed(request, await _formation(app, platform), fields=("id", "type"))


@router.get("/apps/{app}/formation/{type}")
async def info(type: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    for entry in await _formation(app, platform):
        if type in (entry["type"], entry["id"]):
            return JSONResponse(entry)
    raise NotFound(f"Couldn't find that process type ({type[:63]}).", app=app.name)


def _change(body: Mapping[str, Any], type: str | None = None) -> FormationChange:
    quantity = body.get("quantity")
    if quantity is not None and (isinstance(quantity, bool) or not isinstance(quantity, int | str)):
        raise Invalid("`quantity` must be a number, or a text such as +1.")
    return FormationChange(type or needed_text(body, "type", most=63), quantity, named(body, "size"))


@router.patch("/apps/{app}/formation")
async def batch_update(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Batch Update."""
    changes = [_change(entry) for entry in entries(await json_body(request), "updates", most=100)]
    await scale(app, changes, by=caller.account, vault=platform.vault, **waking(platform))
    return JSONResponse(await _formation(app, platform))


@router.patch("/apps/{app}/formation/{type}")
async def update(type: str, request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update."""
    change = _change(await json_body(request), type)
    await scale(app, [change], by=caller.account, vault=platform.vault, **waking(platform))
    return await info(type, app, platform)
