"""`app-feature` and `account-feature`.

Source: schema `app-feature`, `account-feature`
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..core.feature import ACCOUNT_FEATURES, APP_FEATURES, Feature, checked_switch, feature_named
from .auth import AppDep, CallerDep
from .body import flag, json_body
from .ranges import listed
from .regions import REGION

router = APIRouter()


def shown(feature: Feature) -> dict[str, Any]:
    """The schema's `app-feature`."""
    return {
        "created_at": REGION["created_at"],
        "description": feature.description,
        "display_name": feature.display_name,
        "doc_url": feature.doc_url,
        "enabled": feature.is_enabled,
        "feedback_email": "",
        "id": str(feature.id),
        "name": feature.name,
        "state": feature.state,
        "updated_at": REGION["updated_at"],
    }


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
    return JSONResponse(shown(checked_switch(found, flag(await json_body(request), "enabled"))))


@router.get("/apps/{app}/features")
async def index(request: Request, app: AppDep) -> JSONResponse:
    """List."""
    return listed(request, [shown(each) for each in APP_FEATURES], fields=("id", "name"))


@router.get("/apps/{app}/features/{feature}")
async def info(feature: str, app: AppDep) -> JSONResponse:
    """Info."""
    return JSONResponse(shown(feature_named(feature, APP_FEATURES)))


@router.patch("/apps/{app}/features/{feature}")
async def switch(feature: str, request: Request, app: AppDep) -> JSONResponse:
    """Update; what is always on stays on."""
    found = feature_named(feature, APP_FEATURES)
    return JSONResponse(shown(checked_switch(found, flag(await json_body(request), "enabled"))))
