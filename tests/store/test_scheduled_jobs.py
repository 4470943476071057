"""Jobs of the scheduler, in both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from senryu.core.add_on import AddOn, AddOnState
from senryu.core.scheduled_job import Every, Schedule, ScheduledJob
from senryu.store import add_ons, scheduled_jobs
from senryu.store.database import Database
from senryu.store.vault import Vault

from .conftest import NOW, Rows


async def test_jobs_are_kept_found_when_due_and_go_with_their_add_on(db: Database, rows: Rows, vault: Vault) -> None:
    add_on = AddOn(uuid4(), rows.app.id, "scheduler-x", "scheduler", "standard", AddOnState.PROVISIONED, NOW, NOW)

    def job(command: str, schedule: Schedule, due_in: timedelta) -> ScheduledJob:
        return ScheduledJob(uuid4(), add_on.id, rows.app.id, command, schedule, None, NOW + due_in, NOW, NOW)

    due = job("due", Schedule(Every.DAY, 200), timedelta())
    late = job("late", Schedule(Every.HOUR, 3), -timedelta(days=2))
    coming = job("coming", Schedule(Every.TEN_MINUTES), timedelta(minutes=9))
    strange = job("strange", Schedule(Every.TEN_MINUTES), timedelta(minutes=21))
    async with db.transaction() as tx:
        assert await scheduled_jobs.soonest_due(tx) is None
        await add_ons.create_add_on(tx, add_on, vault=vault)
        for each in (due, late, coming, strange):
            await scheduled_jobs.create_job(tx, each)
        assert await scheduled_jobs.find_job(tx, due.id) == due
        assert {each.id for each in await scheduled_jobs.list_jobs(tx, rows.app.id)} == {due.id, late.id, coming.id, strange.id}
        assert [each.command for each in await scheduled_jobs.jobs_to_decide(tx, NOW)] == ["late", "due", "strange"]
        assert await scheduled_jobs.soonest_due(tx) == late.due_at
        changed = replace(late, size="Basic", due_at=NOW + timedelta(hours=1), last_due_at=NOW, last_dyno_id=uuid4(), last_outcome="run")
        await scheduled_jobs.update_job(tx, changed)
        assert await scheduled_jobs.find_job(tx, late.id) == changed
        await scheduled_jobs.delete_job(tx, strange.id)
        assert [each.command for each in await scheduled_jobs.jobs_to_decide(tx, NOW)] == ["due"]
        await add_ons.update_add_on(tx, replace(add_on, state=AddOnState.DEPROVISIONING), vault=vault)
        assert await scheduled_jobs.jobs_to_decide(tx, NOW) == []
        await add_ons.delete_add_on(tx, add_on.id)
        assert await scheduled_jobs.list_jobs(tx, rows.app.id) == []
