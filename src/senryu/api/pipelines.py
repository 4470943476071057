"""`pipeline`, `pipeline-coupling`, `review-app`, `test-run`: this platform has none yet, and says so.

Source: wire contract 5.11
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.errors import Invalid, NotFound
from .auth import AppDep, CallerDep
from .ranges import listed
from .routing import Router

router = Router()


@router.get("/pipelines")
async def index(request: Request, caller: CallerDep) -> JSONResponse:
    """List: empty."""
    return listed(request, [])


@router.get("/pipelines/{pipeline}")
@router.get("/pipelines/{pipeline}/{part}")
async def none_such(pipeline: str, caller: CallerDep) -> JSONResponse:
    """Finds nothing."""
    raise NotFound(f"Couldn't find the pipeline {pipeline[:80]}; this platform has no pipelines yet.")


@router.get("/apps/{app}/pipeline-couplings")
@router.get("/apps/{app}/review-app")
async def not_coupled(app: AppDep) -> JSONResponse:
    """Finds nothing: no app is in a pipeline."""
    raise NotFound(f"{app.name} is in no pipeline; this platform has none yet.", app=app.name)


@router.post("/pipelines")
@router.post("/pipeline-couplings")
@router.post("/pipeline-promotions")
@router.post("/review-apps")
@router.post("/test-runs")
async def refuse(caller: CallerDep) -> JSONResponse:
    """Refuses: there are none."""
    raise Invalid("This platform has no pipelines, review apps and test runs yet.")
