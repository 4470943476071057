"""The buildpack registry: it lists the built-in buildpacks.

Source: wire contract 5.5
"""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.buildpack_registry import RegisteredBuildpack, found_in_registry, registered
from .regions import REGION
from .routing import Router

router = Router()
_CREATED_AT = REGION["created_at"]


def shown(buildpack: RegisteredBuildpack) -> dict[str, Any]:
    """What the registry's clients read."""
    return {
        "blob_url": buildpack.blob_url,
        "category": "languages",
        "created_at": _CREATED_AT,
        "description": buildpack.description,
        "id": str(buildpack.id),
        "name": buildpack.name,
        "namespace": "heroku",
        "source": {"type": "built-in", "owner": "senryu", "repo": buildpack.name},
        "support": {"method": "website", "address": "Built into this platform; ask its operator"},
        "updated_at": _CREATED_AT,
    }


@router.get("/buildpacks")
async def search(request: Request) -> JSONResponse:
    """List: by `in[namespace][]`, `in[name][]` and `like[description]`."""
    query = request.query_params
    found = found_in_registry(query.getlist("in[namespace][]"), query.getlist("in[name][]"), query.get("like[description]", ""))
    return JSONResponse([shown(each) for each in found])


@router.get("/buildpacks/{namespace}/{name}")
async def info(namespace: str, name: str) -> JSONResponse:
    """Info."""
    return JSONResponse(shown(registered(namespace, name)))


@router.get("/buildpacks/{namespace}/{name}/revisions")
async def revisions(namespace: str, name: str) -> JSONResponse:
    """List of versions: the one that is built in."""
    found = registered(namespace, name)
    revision = {"release": 1, "status": "published", "license": "MIT", "buildpack_id": str(found.id), "id": str(found.id)}
    return JSONResponse([{**revision, "created_at": _CREATED_AT, "updated_at": _CREATED_AT}])


@router.get("/buildpacks/{namespace}/{name}/readme")
async def readme(namespace: str, name: str) -> JSONResponse:
    """What the registry has to say of one."""
    found = registered(namespace, name)
    content = f"# heroku/{found.name}\n\n{found.description}. Built into this platform.\n"
    return JSONResponse({"content": base64.b64encode(content.encode()).decode(), "encoding": "base64"})
