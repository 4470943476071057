"""`sni-endpoint` and automatic certificates: custom domains answer over plain HTTP only so far, and the API says so.

Source: wire contract 5.9
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..core.errors import Invalid, NotFound
from .auth import AppDep
from .ranges import listed

router = APIRouter()
_NOT_YET = "This platform serves no certificates for custom domains yet; its own names have TLS from its private authority."


@router.get("/apps/{app}/sni-endpoints")
async def index(request: Request, app: AppDep) -> JSONResponse:
    """List: empty."""
    return listed(request, [])


@router.get("/apps/{app}/sni-endpoints/{name}")
@router.patch("/apps/{app}/sni-endpoints/{name}")
@router.delete("/apps/{app}/sni-endpoints/{name}")
async def none_such(name: str, app: AppDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the certificate {name[:80]} of {app.name}.", app=app.name)


@router.post("/apps/{app}/sni-endpoints")
@router.post("/apps/{app}/acm")
@router.patch("/apps/{app}/acm")
@router.delete("/apps/{app}/acm")
@router.patch("/apps/{app}/domains/{hostname}")
async def refuse(app: AppDep) -> JSONResponse:
    """Refuses: there are none."""
    raise Invalid(_NOT_YET, app=app.name)
