"""`scheduler-job`: ours, as Heroku's scheduler is edited in a browser only.

Source: https://devcenter.heroku.com/articles/scheduler
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.schedule import add_job, change_job, find_app_job, remove_job
from ..core.app import App
from ..core.scheduled_job import Schedule, ScheduledJob, parsed
from ..store.scheduled_jobs import list_jobs
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, named, needed_text, text, uuid_or
from .parts import iso, telling
from .ranges import listed
from .routing import Router

router = Router()


def shown(job: ScheduledJob, app: App) -> dict[str, Any]:
    """A job; times are UTC. `last_outcome` says by which dyno it was run the last time it was due, or why not."""
    return {
        "addon": {"id": str(job.add_on_id)},
        "app": {"id": str(app.id), "name": app.name},
        "at": job.schedule.shown_at,
        "command": job.command,
        "created_at": iso(job.created_at),
        "every": job.schedule.every.value,
        "id": str(job.id),
        "last_due_at": iso(job.last_due_at),
        "last_outcome": job.last_outcome,
        "next_due_at": iso(job.due_at),
        "size": job.size,
        "updated_at": iso(job.updated_at),
    }


@router.get("/apps/{app}/scheduler/jobs")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        jobs = await list_jobs(tx, app.id)
    return listed(request, [shown(job, app) for job in jobs], fields=("id", "created_at"))


@router.post("/apps/{app}/scheduler/jobs")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: a command `every` 10 minutes, hour or day, `at` a time of these."""
    body = await json_body(request)
    schedule, size = parsed(text(body, "every"), text(body, "at")), named(body, "size")
    command = needed_text(body, "command", most=40_000)
    made = await add_job(app, command, schedule, size=size, by=caller.account, vault=platform.vault, **telling(platform))
    return JSONResponse(shown(made, app), 201)


@router.get("/apps/{app}/scheduler/jobs/{job}")
async def info(job: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse(shown(await find_app_job(app, uuid_or(job), db=platform.db), app))


def _rescheduled(schedule: Schedule, body: Mapping[str, Any]) -> Schedule:
    every, at = text(body, "every"), text(body, "at")
    if every is None and at is None:
        return schedule
    kept_at = schedule.shown_at if every in (None, schedule.every.value) else None
    return parsed(every or schedule.every.value, at or kept_at)


@router.patch("/apps/{app}/scheduler/jobs/{job}")
async def update(job: str, request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: another command, time or size."""
    body = await json_body(request)
    command, size = text(body, "command", most=40_000), named(body, "size")

    def change(now: ScheduledJob) -> ScheduledJob:
        return replace(now, command=now.command if command is None else command, schedule=_rescheduled(now.schedule, body))

    changed = await change_job(app, uuid_or(job), change, size=size, by=caller.account, **telling(platform))
    return JSONResponse(shown(changed, app))


@router.delete("/apps/{app}/scheduler/jobs/{job}")
async def delete(job: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete; a run under way goes on."""
    gone = await remove_job(app, uuid_or(job), by=caller.account, **telling(platform))
    return JSONResponse(shown(gone, app))
