"""`log-drain`.

Source: schema `log-drain`; https://devcenter.heroku.com/articles/log-drains
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.drain_log import add_drain, find_drain, remove_drain
from ..core.app import App
from ..core.limits import DRAIN_URL_MAX_CHARS
from ..core.log_drain import LogDrain
from ..store.log_drains import list_log_drains
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, needed_text
from .parts import iso, telling
from .ranges import listed
from .routing import Router

router = Router()


def shown(drain: LogDrain, app: App) -> dict[str, Any]:
    """The schema's `log-drain`. The URL is whole, for those who may work on the app, as it is what a drain is removed by."""
    return {
        "addon": None,
        "app": {"id": str(app.id), "name": app.name},
        "created_at": iso(drain.created_at),
        "extended": None,
        "id": str(drain.id),
        "token": drain.token,
        "updated_at": iso(drain.updated_at),
        "url": drain.url,
    }


@router.get("/apps/{app}/log-drains")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        drains = await list_log_drains(tx, app.id, vault=platform.vault)
    return listed(request, [shown(drain, app) for drain in drains], fields=("id", "created_at", "updated_at"))


@router.post("/apps/{app}/log-drains")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create."""
    url = needed_text(await json_body(request), "url", most=DRAIN_URL_MAX_CHARS)
    made = await add_drain(
        app,
        url,
        by=caller.account,
        resolver=platform.resolver,
        allow_private=platform.settings.allow_private_drains,
        vault=platform.vault,
        drains=platform.drains,
        log_reader=platform.log_reader,
        **telling(platform),
    )
    return JSONResponse(shown(made, app), 201)


@router.get("/apps/{app}/log-drains/{drain:path}")
async def info(drain: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info: by URL (percent-encoded), token or id."""
    return JSONResponse(shown(await find_drain(app, drain, db=platform.db, vault=platform.vault), app))


@router.delete("/apps/{app}/log-drains/{drain:path}")
async def delete(drain: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete: by URL (percent-encoded), token or id."""
    gone = await remove_drain(app, drain, by=caller.account, vault=platform.vault, drains=platform.drains, **telling(platform))
    return JSONResponse(shown(gone, app))
