"""`app-feature` and `account-feature`.

Source: schema `app-feature`, `account-feature`
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.switch_feature import switch_feature
from ..core.app import App
from ..core.feature import ACCOUNT_FEATURES, APP_FEATURES, PREBOOT, Feature, checked_switch, feature_named
from ..core.formation import has_preboot
from ..store.database import Transaction
from ..store.features import switched_off
from ..store.formation import list_formation
from .auth import AppDep, CallerDep, PlatformDep
from .body import flag, json_body
from .ranges import listed
from .regions import REGION
from .routing import Router

router = Router()


def shown(feature: Feature, off: Collection[str] = ()) -> dict[str, Any]:
    """The schema's `app-feature`; `off` are those switched off."""
    return {
        "created_at": REGION["created_at"],
        "description": feature.description,
        "display_name": feature.display_name,
        "doc_url": feature.doc_url,
        "enabled": feature.name not in off,
        "feedback_email": "",
        "id": str(feature.id),
        "name": feature.name,
        "state": feature.state,
        "updated_at": REGION["updated_at"],
    }


async def _off(tx: Transaction, app: App) -> frozenset[str]:
    """What was switched off, and preboot where the dynos' size has none."""
    lacking = () if has_preboot(await list_formation(tx, app.id)) else (PREBOOT,)
    return (await switched_off(tx, app.id)).union(lacking)


@router.get("/account/features")
async def of_account(request: Request, caller: CallerDep) -> JSONResponse:
    """List of the account."""
    return listed(request, [shown(each) for each in ACCOUNT_FEATURES], fields=("id", "name"))


@router.get("/account/features/{feature}")
async def one_of_account(feature: str, caller: CallerDep) -> JSONResponse:
    """Info of the account."""
    return JSONResponse(shown(feature_named(feature, ACCOUNT_FEATURES)))


@router.patch("/account/features/{feature}")
async def switch_of_account(feature: str, request: Request, caller: CallerDep) -> JSONResponse:
    """Update of the account; what is always on stays on."""
    found = feature_named(feature, ACCOUNT_FEATURES)
    checked_switch(found, flag(await json_body(request), "enabled"))
    return JSONResponse(shown(found))


@router.get("/apps/{app}/features")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        off = await _off(tx, app)
    return listed(request, [shown(each, off) for each in APP_FEATURES], fields=("id", "name"))


@router.get("/apps/{app}/features/{feature}")
async def info(feature: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    found = feature_named(feature, APP_FEATURES)
    async with platform.db.reading() as tx:
        return JSONResponse(shown(found, await _off(tx, app)))


@router.patch("/apps/{app}/features/{feature}")
async def switch(feature: str, request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Update: on or off from the next start of a dyno; what is always on stays on."""
    found = feature_named(feature, APP_FEATURES)
    wished = flag(await json_body(request), "enabled")
    async with platform.db.reading() as tx:
        lacking = await _off(tx, app) & {PREBOOT}
    is_on = checked_switch(found, wished, has_preboot=not lacking)
    off = await switch_feature(app, found, is_on=is_on or found.name in lacking, db=platform.db)
    return JSONResponse(shown(found, off | lacking))
