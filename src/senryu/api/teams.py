"""`team` and `space`: accounts work on apps as collaborators; there are no teams and no private spaces.

Source: wire contract 5.10
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..core.errors import Invalid, NotFound
from .auth import CallerDep
from .ranges import listed

router = APIRouter()


@router.get("/teams")
@router.get("/spaces")
async def nothing(request: Request, caller: CallerDep) -> JSONResponse:
    """List: empty."""
    return listed(request, [])


@router.post("/teams/apps")
async def create_app(caller: CallerDep) -> JSONResponse:
    """Refuses: an app belongs to an account."""
    raise Invalid("This platform has no teams yet; create the app without a team and add people with access:add.")


@router.post("/teams")
@router.post("/spaces")
async def create(caller: CallerDep) -> JSONResponse:
    """Refuses: there are none."""
    raise Invalid("This platform has no teams and no private spaces yet.")


@router.get("/teams/{team}")
@router.get("/teams/{team}/{part}")
@router.put("/teams/{team}/members")
@router.patch("/teams/{team}/members")
async def none_such(team: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the team {team[:80]}; this platform has no teams yet.")


@router.get("/spaces/{space}")
@router.get("/spaces/{space}/{part}")
async def no_space(space: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the space {space[:80]}; this platform has no private spaces.")
