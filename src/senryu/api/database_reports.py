"""Diagnoses of databases, which `pg:diagnose` asks of a host of its own (PGDIAGNOSE_URL, which `senryu env` leads here).

The URL that the client sends along is not used: which database is meant follows from app and name. Reports are kept in memory.

Source: wire contract 5.7, 8
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..core.errors import NotFound
from ..core.permission import Permission
from ..store.add_ons import list_attachments
from .addon_attachments import matching
from .auth import CallerDep, PlatformDep
from .body import json_body, needed_text, uuid_or
from .databases import found_database
from .parts import iso
from .routing import Router

router = Router()
_KEPT = 200


@dataclass(slots=True)
class Reports:
    """The last ones, with the database each is about."""

    kept: dict[UUID, tuple[UUID, dict[str, Any]]] = field(default_factory=dict)

    def keep(self, id: UUID, database: UUID, report: dict[str, Any]) -> None:
        """Forgets the oldest above _KEPT."""
        self.kept[id] = (database, report)
        while len(self.kept) > _KEPT:
            del self.kept[next(iter(self.kept))]


@router.post("/reports")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Looks now."""
    body = await json_body(request)
    app_name, wanted = needed_text(body, "app", most=100), needed_text(body, "database", most=255)
    async with platform.db.reading() as tx:
        app = await app_for(tx, caller.account, uuid_or(app_name), needs=Permission.DEPLOY)
        entries = matching(await list_attachments(tx, app_id=app.id, vault=platform.vault), wanted)
    if not entries:
        raise NotFound(f"Couldn't find the database {wanted[:80]} of {app.name}.")
    found = await found_database(str(entries[0][1].id), caller.account, platform)
    findings = await found.databases.diagnose(found.of, found.plan)
    id = uuid4()
    report = {
        "app": app.name,
        "checks": [{"name": each.name, "results": list(each.rows), "status": each.status} for each in findings],
        "created_at": iso(platform.clock.now()),
        "database": wanted,
        "id": str(id),
    }
    reports: Reports = request.app.state.reports
    reports.keep(id, found.add_on.id, report)
    return JSONResponse(report, 201)


@router.get("/reports/{report}")
async def info(report: UUID, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """One of the last, for who may see the database."""
    reports: Reports = request.app.state.reports
    kept = reports.kept.get(report)
    if kept is None:
        raise NotFound("That report is not kept any more; run `pg:diagnose` again.")
    await found_database(str(kept[0]), caller.account, platform)
    return JSONResponse(kept[1])
