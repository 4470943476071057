"""`buildpack-installation`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.install_buildpacks import install_buildpacks
from ..core.buildpack import Buildpack
from ..core.errors import Invalid
from ..store.apps import list_buildpacks
from .auth import AppDep, CallerDep, PlatformDep
from .body import entries, json_body
from .parts import telling
from .routing import Router

router = Router()


def _shown(buildpacks: list[Buildpack]) -> list[dict[str, Any]]:
    return [{"ordinal": ordinal, "buildpack": {"name": each.name, "url": each.url}} for ordinal, each in enumerate(buildpacks)]


@router.get("/apps/{app}/buildpack-installations")
async def index(app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        return JSONResponse(_shown(await list_buildpacks(tx, app.id)))


@router.put("/apps/{app}/buildpack-installations")
async def update(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the whole list, for the next build."""
    urls = []
    for entry in entries(await json_body(request), "updates", most=20):
        url = entry.get("buildpack")
        if not isinstance(url, str) or not url or len(url) > 2000:
            raise Invalid("Each of `updates` must have `buildpack`, a name such as heroku/python or an address.")
        urls.append(url)
    return JSONResponse(_shown(await install_buildpacks(app, urls, by=caller.account, **telling(platform))))
