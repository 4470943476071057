"""The data API's first call, for clients that ask before they know: no app has a database of ours to back up yet.

Source: wire contract 7
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from .auth import AppDep

router = APIRouter()


@router.get("/client/v11/apps/{app}/transfers")
async def index(app: AppDep) -> JSONResponse:
    """Backups, restores and copies of an app's databases: none."""
    return JSONResponse([])
