"""`filter-apps`: apps by their ids.

Source: schema `filter-apps`
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.errors import Invalid
from ..store.apps import list_apps
from .apps import shown_all
from .auth import CallerDep, PlatformDep
from .body import json_body
from .ranges import listed
from .routing import Router

router = Router()


@router.post("/filters/apps")
async def apps(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Those of the ids in `in.id` that the account may see; others are left out."""
    wanted = (await json_body(request)).get("in") or {}
    ids = wanted.get("id") if isinstance(wanted, dict) else None
    if not isinstance(ids, list) or len(ids) > 1000 or not all(isinstance(id, str) for id in ids):
        raise Invalid("`in` must be an object with `id`, a list of at most 1,000 ids.")
    async with platform.db.reading() as tx:
        found = [app for app in await list_apps(tx, caller.account.id) if str(app.id) in ids]
    return listed(request, await shown_all(found, platform), fields=("id", "name", "updated_at"))
