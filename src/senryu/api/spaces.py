"""`space`: there are no private spaces."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.errors import Invalid, NotFound
from .auth import CallerDep
from .ranges import listed
from .routing import Router

router = Router()


@router.get("/spaces")
async def index(request: Request, caller: CallerDep) -> JSONResponse:
    """List: empty."""
    return listed(request, [])


@router.post("/spaces")
async def create(caller: CallerDep) -> JSONResponse:
    """Refuses: there are none."""
    raise Invalid("This platform has no private spaces.")


@router.get("/spaces/{space}")
@router.patch("/spaces/{space}")
@router.delete("/spaces/{space}")
@router.get("/spaces/{space}/{part}")
async def none_such(space: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the space {space[:80]}; this platform has no private spaces.")
