"""What buckets of object storage hold beside what their plans allow: one's for its users, all for the operator. Ours."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from ..core.add_on import AddOn
from ..core.errors import NotFound
from ..core.object_store import BucketUse, bucket_of
from ..platform import Platform
from ..store.add_ons import list_add_ons
from ..store.apps import find_apps
from .addons import found_add_on
from .auth import CallerDep, OperatorDep, PlatformDep
from .routing import Router

router = Router()


async def _uses(platform: Platform) -> dict[str, BucketUse]:
    return {use.bucket: use for use in await platform.objects.bucket_uses()} if platform.objects else {}


def _shown(use: BucketUse, add_on: AddOn | None, app_name: str | None) -> dict[str, Any]:
    return {
        "add_on": add_on.name if add_on else None,
        "app": app_name,
        "bucket": use.bucket,
        "bytes": use.used_bytes,
        "plan": f"{add_on.service}:{add_on.plan}" if add_on else None,
        "plan_bytes": use.quota_bytes,
        "stored_bytes": use.stored_bytes,
    }


@router.get("/addons/{addon}/objects")
async def info(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Usage of one bucket."""
    add_on, app = await found_add_on(addon, caller, platform)
    use = (await _uses(platform)).get(bucket_of(add_on.id))
    if use is None:
        raise NotFound(f"{add_on.name} has no bucket.")
    return JSONResponse(_shown(use, add_on, app.name))


@router.get("/senryu/objects")
async def index(operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Usage of all buckets, the largest first. Operator only."""
    uses = await _uses(platform)
    async with platform.db.reading() as tx:
        add_ons = {bucket_of(add_on.id): add_on for add_on in await list_add_ons(tx, vault=platform.vault)}
        owners = {add_on.app_id for bucket, add_on in add_ons.items() if bucket in uses}
        apps = await find_apps(tx, owners) if owners else {}
    rows = []
    for use in sorted(uses.values(), key=lambda use: -use.used_bytes):
        add_on = add_ons.get(use.bucket)
        app = apps.get(add_on.app_id) if add_on else None
        rows.append(_shown(use, add_on, app.name if app else None))
    return JSONResponse(rows)
