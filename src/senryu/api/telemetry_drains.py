"""`telemetry-drain`: there are none here, and the API says so.

Source: wire contract 5.9
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.errors import Invalid, NotFound
from .auth import AppDep, CallerDep
from .ranges import listed
from .routing import Router

router = Router()


@router.get("/apps/{app}/telemetry-drains")
async def index(request: Request, app: AppDep) -> JSONResponse:
    """List: empty."""
    return listed(request, [])


@router.post("/telemetry-drains")
async def create(caller: CallerDep) -> JSONResponse:
    """Refuses: there is nothing that would send."""
    raise Invalid("This platform sends no OpenTelemetry signals; it logs to log drains.")


@router.get("/telemetry-drains/{drain}")
@router.patch("/telemetry-drains/{drain}")
@router.delete("/telemetry-drains/{drain}")
async def none_such(drain: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the telemetry drain {drain[:80]}.")
