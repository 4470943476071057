"""The API's own description.

Source: https://devcenter.heroku.com/articles/platform-api-reference#schema
"""

from __future__ import annotations

from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse

from .openapi import document
from .routing import Router

router = Router()


@router.get("/openapi.json")
@router.get("/schema")
async def info(request: Request) -> JSONResponse:
    """The OpenAPI 3.1 document of this API."""
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = document(state.routes, version=version("senryu"))
    return JSONResponse(state.openapi)
