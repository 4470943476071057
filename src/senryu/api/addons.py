"""`add-on`, `add-on-attachment`, `add-on-service`, `plan`: this platform has none yet, and says so.

Source: wire contract 5.6
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..core.errors import Invalid, NotFound
from .auth import AppDep, CallerDep
from .body import json_body, named
from .ranges import listed

router = APIRouter()
_NONE = "This platform has no add-ons yet"


@router.get("/addons")
@router.get("/addon-attachments")
@router.get("/addon-services")
async def nothing(request: Request, caller: CallerDep) -> JSONResponse:
    """List: empty."""
    return listed(request, [])


@router.get("/apps/{app}/addons")
@router.get("/apps/{app}/addon-attachments")
async def nothing_of_app(request: Request, app: AppDep) -> JSONResponse:
    """List of an app: empty."""
    return listed(request, [])


@router.get("/apps/{app}/usage")
async def usage(app: AppDep) -> JSONResponse:
    """What an app's add-ons used this month: nothing."""
    return JSONResponse({"id": str(app.id), "addons": []})


@router.post("/apps/{app}/addons")
async def create(request: Request, app: AppDep) -> JSONResponse:
    """Refuses: there is no service to make one of."""
    plan = named(await json_body(request), "plan") or ""
    raise Invalid(f"Couldn't create the add-on {plan[:80]}: this platform has no add-ons yet.", app=app.name)


@router.post("/addon-attachments")
async def attach(caller: CallerDep) -> JSONResponse:
    """Refuses: there is nothing to attach."""
    raise NotFound(f"Couldn't find that add-on. {_NONE}.")


@router.get("/addons/{addon}")
@router.get("/addons/{addon}/addon-attachments")
@router.get("/addon-attachments/{addon}")
@router.delete("/addon-attachments/{addon}")
async def none_such(addon: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the add-on {addon[:80]}. {_NONE}.")


@router.get("/apps/{app}/addons/{addon}")
@router.patch("/apps/{app}/addons/{addon}")
@router.delete("/apps/{app}/addons/{addon}")
@router.get("/apps/{app}/addon-attachments/{addon}")
async def none_such_of_app(addon: str, app: AppDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the add-on {addon[:80]} of {app.name}. {_NONE}.", app=app.name)


@router.get("/addon-services/{service}")
@router.get("/addon-services/{service}/plans")
async def no_service(service: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the add-on service {service[:80]}. {_NONE}.")


@router.post("/actions/addons/resolve")
async def resolve_addon(request: Request, caller: CallerDep) -> JSONResponse:
    """Finds nothing by whatever name."""
    wanted = named(await json_body(request), "addon") or ""
    raise NotFound(f"Couldn't find the add-on {wanted[:80]}. {_NONE}.")


@router.post("/actions/addon-attachments/resolve")
async def resolve_attachment(request: Request, caller: CallerDep) -> JSONResponse:
    """Finds nothing by whatever name."""
    wanted = named(await json_body(request), "addon_attachment") or ""
    raise NotFound(f"Couldn't find the add-on attachment {wanted[:80]}. {_NONE}.")
