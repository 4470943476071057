"""What databases, their backups and their server's history take on disk, for the operator."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse

from ..core.add_on import AddOnState
from ..core.transfer import TransferKind
from ..store.add_ons import list_add_ons
from ..store.apps import find_apps
from ..store.transfers import list_transfers
from .auth import OperatorDep, PlatformDep
from .routing import Router

router = Router()


@router.get("/senryu/data-usage")
async def usage(_: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Each database beside what its plan allows, its backups, and the history that all of them share; for the operator."""
    movables = platform.transfers.movables if platform.transfers else {}
    async with platform.db.reading() as tx:
        stored = await list_add_ons(tx, vault=platform.vault, state=AddOnState.PROVISIONED)
        kept = [add_on for add_on in stored if add_on.service in movables]
        apps = await find_apps(tx, {add_on.app_id for add_on in kept})
        done = await list_transfers(tx)
    backups: dict[UUID | None, list[int]] = defaultdict(list)
    for each in done:
        if each.kind is TransferKind.BACKUP and each.succeeded:
            backups[each.from_id].append(each.processed_bytes)
    used = await platform.databases.usage([add_on.id for add_on in kept]) if kept and platform.databases else {}
    rows: list[dict[str, Any]] = []
    for add_on in kept:
        plan, found = platform.suppliers[add_on.service].service.plan(add_on.plan), used.get(add_on.id)
        rows.append({
            "app": apps[add_on.app_id].name if add_on.app_id in apps else None,
            "backup_bytes": sum(backups.pop(add_on.id, [])),
            "bytes": found.bytes if found else None,
            "name": add_on.name,
            "plan": plan.name,
            "plan_bytes": plan.limits["bytes"],
        })  # fmt: skip
    history = [await movable.history_bytes() for movable in movables.values()] if kept else []
    standby = await platform.following.used_bytes() if platform.following and any(each.follows for each in kept) else 0
    left = sum(size for sizes in backups.values() for size in sizes)
    return JSONResponse({"backup_bytes_of_gone": left, "databases": rows, "history_bytes": sum(history), "standby_bytes": standby})
