"""`dyno-size`, and what the operator says of sizes (ours)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.offer_sizes import choose_default_size, offer_size, offer_to
from ..core.dyno_size import DynoSize, Sizes, key_of
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from ..store.dyno_sizes import list_sizes
from .auth import CallerDep, OperatorDep, PlatformDep
from .body import json_body, needed_text
from .ranges import listed
from .routing import Router

router = Router()


def shown(size: DynoSize) -> dict[str, Any]:
    """The schema's `dyno-size`, with what operators say of it beyond."""
    return {
        "architecture": "amd64",
        "compute": size.compute,
        "cost": {"cents": size.price_cents, "unit": "month"},
        "dedicated": size.dedicated,
        "dyno_units": size.dyno_units,
        "generation": {"id": "9b2a4d1e-04f8-4a55-9a8e-d7cf7a4c4a90", "name": "cedar"},
        "id": str(size.id),
        "memory": size.memory_bytes / 1024**3,
        "name": size.name,
        "precise_dyno_units": float(size.dyno_units),
        "private_space_only": False,
        "cpu_shares": size.cpu_shares,
        "is_exclusive": size.is_exclusive,
        "is_offered": size.is_offered,
        "is_restricted": size.allowed is not None,
        "memory_bytes": size.memory_bytes,
        "one_offs_max": size.one_offs_max,
        "per_type_max": size.per_type_max,
        "pids": size.pids,
        "pool_hours": size.pool_hours,
        "running_max": size.running_max,
        "sleeps_after_s": size.sleeps_after_s,
        "verified_pool_hours": size.verified_pool_hours,
    }


async def _sizes(platform: Platform) -> Sizes:
    async with platform.db.reading() as tx:
        return await list_sizes(tx)


@router.get("/dyno-sizes")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: those that are offered."""
    sizes = await _sizes(platform)
    return listed(request, [shown(size) for size in sizes if size.is_offered], fields=("id", "name"))


@router.get("/dyno-sizes/{size}")
async def info(size: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    for each in await _sizes(platform):
        if size == str(each.id) or key_of(size) == each.key:
            return JSONResponse(shown(each))
    raise NotFound("Couldn't find that dyno size.")


@router.patch("/senryu/dyno-sizes/{size}")
async def update(size: str, request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Changes a size, or makes one of that name. Operator only."""
    changed = await offer_size(size, await json_body(request), db=platform.db, clock=platform.clock)
    return JSONResponse(shown(changed))


@router.put("/senryu/dyno-sizes/{size}/allowed")
async def allow(size: str, request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Keeps a size for accounts (addresses) and teams (names), or with null offers it to everybody. Operator only."""
    body = await json_body(request)
    who = body.get("allowed", "")
    is_list = isinstance(who, list) and len(who) <= 1000 and all(isinstance(each, str) and len(each) <= 254 for each in who)
    if who is not None and not is_list:
        raise Invalid("`allowed` must be a list of at most 1,000 addresses and team names, or null.")
    return JSONResponse(shown(await offer_to(size, who, db=platform.db)))


@router.put("/senryu/default-dyno-size")
async def default(request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Chooses what new process types get. Operator only."""
    return JSONResponse(shown(await choose_default_size(needed_text(await json_body(request), "size", most=60), db=platform.db)))
