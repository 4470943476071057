"""Adding, changing and removing the scheduler's jobs.

Source: https://devcenter.heroku.com/articles/scheduler
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Unpack
from uuid import UUID, uuid4

from ..core.account import Account
from ..core.add_on import AddOn, AddOnState
from ..core.app import App
from ..core.errors import Invalid, NotFound
from ..core.limits import SCHEDULED_COMMAND_MAX_CHARS, SCHEDULED_JOBS_PER_APP_MAX
from ..core.scheduled_job import SERVICE_NAME, Schedule, ScheduledJob
from ..store.add_ons import list_add_ons
from ..store.apps import lock_app
from ..store.database import Database, Transaction
from ..store.dyno_sizes import list_sizes
from ..store.scheduled_jobs import create_job, delete_job, find_job, list_jobs, update_job
from ..store.vault import Vault
from .parts import Telling
from .tell import tell


def checked_command(command: str) -> str:
    """A job's command, one line. Raises: Invalid."""
    if not command.strip() or len(command) > SCHEDULED_COMMAND_MAX_CHARS or any(ord(letter) < 32 for letter in command):
        raise Invalid(f"The command is empty, of several lines or over {SCHEDULED_COMMAND_MAX_CHARS} characters; give a shorter one.")
    return command.strip()


async def scheduler_of(tx: Transaction, app: App, *, vault: Vault) -> AddOn:
    """The app's scheduler. Raises: NotFound when it has none."""
    for add_on in await list_add_ons(tx, app.id, vault=vault, state=AddOnState.PROVISIONED):
        if add_on.service == SERVICE_NAME:
            return add_on
    raise NotFound(f"{app.name} has no scheduler; add it with `senryu addons:create scheduler`.", app=app.name)


async def _checked_size(tx: Transaction, app: App, size: str | None) -> str | None:
    return (await list_sizes(tx)).for_payer(size, app.payer).name if size else None


async def add_job(
    app: App, command: str, schedule: Schedule, *, size: str | None, by: Account, vault: Vault, **parts: Unpack[Telling]
) -> ScheduledJob:
    """Adds a job, run from its next due time on. Raises: Invalid, NotFound without a scheduler, Forbidden for a size kept for others."""
    command, now = checked_command(command), parts["clock"].now()
    async with parts["db"].transaction() as tx:
        if await lock_app(tx, app.id) is None:
            raise NotFound("Couldn't find that app.")
        add_on = await scheduler_of(tx, app, vault=vault)
        if len(await list_jobs(tx, app.id)) >= SCHEDULED_JOBS_PER_APP_MAX:
            raise Invalid(f"{app.name} has {SCHEDULED_JOBS_PER_APP_MAX} jobs already; remove one first.", app=app.name)
        chosen = await _checked_size(tx, app, size)
        job = ScheduledJob(uuid4(), add_on.id, app.id, command, schedule, chosen, schedule.next_due(now), now, now)
        await create_job(tx, job)
    await _say(app, f"Add job `{command[:200]}` by user {by.email}", **parts)
    return job


async def find_app_job(app: App, id: UUID | str, *, db: Database) -> ScheduledJob:
    """A job of an app. Raises: NotFound."""
    async with db.reading() as tx:
        return await _found(tx, app, id)


async def _found(tx: Transaction, app: App, id: UUID | str) -> ScheduledJob:
    job = await find_job(tx, id) if isinstance(id, UUID) else None
    if job is None or job.app_id != app.id:
        raise NotFound(f"Couldn't find that job of {app.name}; `senryu scheduler` lists them.", app=app.name)
    return job


async def change_job(
    app: App,
    id: UUID | str,
    change: Callable[[ScheduledJob], ScheduledJob],
    *,
    size: str | None,
    by: Account,
    **parts: Unpack[Telling],
) -> ScheduledJob:
    """Another command or schedule by `change`, another `size` (None keeps it). Raises: NotFound, Invalid, Forbidden."""
    now = parts["clock"].now()
    async with parts["db"].transaction() as tx:
        if await lock_app(tx, app.id) is None:
            raise NotFound("Couldn't find that app.")
        job = await _found(tx, app, id)
        wanted = change(job)
        due_at = job.due_at if wanted.schedule == job.schedule else wanted.schedule.next_due(now)
        command, chosen = checked_command(wanted.command), await _checked_size(tx, app, size) or wanted.size
        changed = replace(wanted, command=command, size=chosen, due_at=due_at, updated_at=now)
        await update_job(tx, changed)
    await _say(app, f"Update job `{changed.command[:200]}` by user {by.email}", **parts)
    return changed


async def remove_job(app: App, id: UUID | str, *, by: Account, **parts: Unpack[Telling]) -> ScheduledJob:
    """Takes a job away; a run of it that is under way goes on. Raises: NotFound."""
    async with parts["db"].transaction() as tx:
        job = await _found(tx, app, id)
        await delete_job(tx, job.id)
    await _say(app, f"Remove job `{job.command[:200]}` by user {by.email}", **parts)
    return job


async def _say(app: App, text: str, **parts: Unpack[Telling]) -> None:
    await tell(app.id, "api", text, log_writer=parts["log_writer"], clock=parts["clock"], source="app")
