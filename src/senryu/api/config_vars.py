"""`config-var`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.configure import configure
from ..core.app import App
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from ..store.add_ons import attached_variables
from ..store.releases import find_release, latest_release
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body
from .parts import releasing
from .releases import version_or_id
from .routing import Router

router = Router()


async def _latest(app: App, platform: Platform) -> dict[str, str]:
    async with platform.db.reading() as tx:
        latest = await latest_release(tx, app.id, vault=platform.vault)
        attached = await attached_variables(tx, app.id, vault=platform.vault)
    return {**(latest.config_vars if latest else {}), **attached}


@router.get("/apps/{app}/config-vars")
async def info(app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info for App."""
    return JSONResponse(await _latest(app, platform))


@router.patch("/apps/{app}/config-vars")
async def update(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: null takes a var away. Gives all of them."""
    changes = await json_body(request)
    for key, value in changes.items():
        if value is not None and not isinstance(value, str):
            raise Invalid(f"The value of `{key[:80]}` must be text or null.")
    await configure(app, changes, by=caller.account, **releasing(platform))
    return JSONResponse(await _latest(app, platform))


@router.get("/apps/{app}/releases/{release}/config-vars")
async def info_for_release(release: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info for App Release."""
    async with platform.db.reading() as tx:
        found = await find_release(tx, app.id, version_or_id(release), vault=platform.vault)
        attached = await attached_variables(tx, app.id, vault=platform.vault)
    if found is None:
        raise NotFound(f"Couldn't find that release of {app.name}.", app=app.name)
    return JSONResponse({**found.config_vars, **attached})
