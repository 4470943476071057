"""Daily backups of databases, as the data API has them.

Source: wire contract 7; https://devcenter.heroku.com/articles/heroku-postgres-backups#scheduling-backups
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.keep_backups import zone_of
from ..core.errors import Conflict, Invalid, NotFound
from ..core.limits import SCHEDULES_PER_DATABASE_MAX
from ..core.transfer import Schedule, next_run
from ..store.transfers import create_schedule, delete_schedule, list_schedules
from .auth import PlatformDep
from .body import json_body, text
from .database_transfers import ChangedDatabase, SeenDatabase
from .routing import Router

router = Router()


def _shown(schedule: Schedule) -> dict[str, Any]:
    return {"hour": schedule.hour, "name": schedule.name, "timezone": schedule.timezone, "uuid": str(schedule.id)}


def _hour(value: object) -> int:
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).isascii() and str(value).isdigit():
        hour = int(str(value)[:3])
        if hour <= 23:
            return hour
    raise Invalid("`hour` must be a full hour from 0 to 23.")


@router.get("/client/v11/databases/{database}/transfer-schedules")
async def index(database: SeenDatabase, platform: PlatformDep) -> JSONResponse:
    """When the database is backed up."""
    async with platform.db.reading() as tx:
        return JSONResponse([_shown(schedule) for schedule in await list_schedules(tx, database.id)])


@router.post("/client/v11/databases/{database}/transfer-schedules")
async def create(request: Request, database: ChangedDatabase, platform: PlatformDep) -> JSONResponse:
    """Has the database backed up every day at an hour of a time zone; one of the same name is replaced."""
    body, now = await json_body(request), platform.clock.now()
    hour, timezone = _hour(body.get("hour")), text(body, "timezone", most=60) or "UTC"
    name = text(body, "schedule_name", most=120) or "DATABASE_URL"
    schedule = Schedule(uuid4(), database.id, name, hour, timezone, next_run(hour, zone_of(timezone), now), now)
    async with platform.db.transaction() as tx:
        present = await list_schedules(tx, database.id)
        others = [each for each in present if each.name != name]
        if len(others) >= SCHEDULES_PER_DATABASE_MAX:
            raise Conflict(f"{database.name} has {len(others)} schedules; end one with `pg:backups:unschedule` first.")
        for former in present:
            if former.name == name:
                await delete_schedule(tx, former.id)
        await create_schedule(tx, schedule)
    return JSONResponse(_shown(schedule), 201)


@router.delete("/client/v11/databases/{database}/transfer-schedules/{schedule}")
async def delete(schedule: UUID, database: ChangedDatabase, platform: PlatformDep) -> JSONResponse:
    """Ends a schedule."""
    async with platform.db.transaction() as tx:
        found = next((each for each in await list_schedules(tx, database.id) if each.id == schedule), None)
        if found is None:
            raise NotFound(f"Couldn't find that schedule of {database.name}.")
        await delete_schedule(tx, found.id)
    return JSONResponse(_shown(found))
