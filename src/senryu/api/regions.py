"""`region` and `stack`: lists that are the same for every account."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.import_stack import import_stack
from ..core.errors import NotFound
from ..core.stack import HOST
from ..store.stacks import list_stacks
from .auth import CallerDep, OperatorDep, PlatformDep
from .body import json_body, needed_text
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()

REGION: dict[str, Any] = {
    "country": "Here",
    "created_at": "2026-01-01T00:00:00Z",
    "description": "This server",
    "id": "1c1f2d0a-6ed8-44b0-b4a2-8b1a5c5b1e3f",
    "locale": "Here",
    "name": "us",
    "private_capable": False,
    "provider": {"name": "senryu", "region": "local"},
    "updated_at": "2026-01-01T00:00:00Z",
}


@router.get("/regions")
async def regions(request: Request, caller: CallerDep) -> JSONResponse:
    """List regions."""
    return listed(request, [REGION], fields=("id", "name"))


@router.get("/regions/{region}")
async def region(region: str, caller: CallerDep) -> JSONResponse:
    """Region info."""
    if region not in (REGION["id"], REGION["name"]):
        raise NotFound("Couldn't find that region.")
    return JSONResponse(REGION)


@router.get("/stacks")
async def stacks(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List stacks."""
    return listed(request, await _stacks(platform), fields=("id", "name"))


async def _stacks(platform: PlatformDep) -> list[dict[str, Any]]:
    from .apps import stack_id

    async with platform.db.reading() as tx:
        imported = await list_stacks(tx)
    host = {
        "created_at": REGION["created_at"],
        "default": True,
        "id": stack_id(HOST),
        "name": HOST,
        "state": "public",
        "updated_at": REGION["updated_at"],
    }
    return [
        host,
        *(
            {
                "created_at": iso(stack.created_at),
                "default": False,
                "id": str(stack.id),
                "name": stack.name,
                "state": stack.state,
                "updated_at": iso(stack.updated_at),
            }
            for stack in imported
        ),
    ]


@router.get("/stacks/{stack}")
async def stack(stack: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Stack info."""
    for each in await _stacks(platform):
        if stack in (each["id"], each["name"]):
            return JSONResponse(each)
    raise NotFound("Couldn't find that stack.")


@router.post("/senryu/stacks")
async def import_(request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Imports a stack from a directory, tarball or OCI image reference on the server. Operator only."""
    body = await json_body(request)
    made = await import_stack(
        needed_text(body, "name", most=62),
        needed_text(body, "source", most=1000),
        db=platform.db,
        engine=platform.engine,
        clock=platform.clock,
    )
    return JSONResponse({"id": str(made.id), "name": made.name, "state": made.state, "source": made.source}, 201)
