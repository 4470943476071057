"""Jobs of the scheduler."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, insert, or_, select, update

from ..core.add_on import AddOnState
from ..core.scheduled_job import Every, Schedule, ScheduledJob
from .add_on_tables import add_ons
from .database import Transaction
from .rows import columns, noun
from .scheduler_tables import scheduled_jobs


def _columns(job: ScheduledJob) -> dict[str, Any]:
    return {**columns(job, "schedule"), "every": job.schedule.every.value, "at": job.schedule.at}


def _job(row: Any) -> ScheduledJob:
    return noun(ScheduledJob, row, schedule=Schedule(Every(row["every"]), row["at"]))


async def create_job(tx: Transaction, job: ScheduledJob) -> None:
    """Stores a job."""
    await tx.execute(insert(scheduled_jobs).values(_columns(job)))


async def update_job(tx: Transaction, job: ScheduledJob) -> None:
    """Stores what changed."""
    await tx.execute(update(scheduled_jobs).where(scheduled_jobs.c.id == job.id).values(_columns(job)))


async def delete_job(tx: Transaction, id: UUID) -> None:
    """Takes a job away."""
    await tx.execute(delete(scheduled_jobs).where(scheduled_jobs.c.id == id))


async def find_job(tx: Transaction, id: UUID) -> ScheduledJob | None:
    """One job."""
    row = (await tx.execute(select(scheduled_jobs).where(scheduled_jobs.c.id == id))).mappings().first()
    return _job(row) if row else None


async def list_jobs(tx: Transaction, app_id: UUID) -> list[ScheduledJob]:
    """An app's jobs, oldest first."""
    query = select(scheduled_jobs).where(scheduled_jobs.c.app_id == app_id).order_by(scheduled_jobs.c.created_at, scheduled_jobs.c.id)
    return [_job(row) for row in (await tx.execute(query)).mappings()]


async def jobs_to_decide(tx: Transaction, now: datetime) -> list[ScheduledJob]:
    """Jobs, of add-ons that are there, of which `decided` may say something: those due, the longest first, and those strangely far off."""
    c = scheduled_jobs.c
    strange = [and_(c.every == every.value, c.due_at > now + 2 * every.interval) for every in Every]
    there = select(add_ons.c.id).where(add_ons.c.state == AddOnState.PROVISIONED.value)
    query = select(scheduled_jobs).where(or_(c.due_at <= now, *strange), c.add_on_id.in_(there)).order_by(c.due_at, c.id)
    return [_job(row) for row in (await tx.execute(query)).mappings()]


async def soonest_due(tx: Transaction) -> datetime | None:
    """When the next job of all is due."""
    soonest: datetime | None = (await tx.execute(select(func.min(scheduled_jobs.c.due_at)))).scalar_one()
    return soonest
