"""Running the scheduler's jobs when they are due.

A due time is claimed and its dyno recorded in one transaction; supervise starts what is recorded. So whatever dies when, a due time is run
once: before the transaction it is still due, after it the record is there to be started.

Source: https://devcenter.heroku.com/articles/scheduler
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Unpack

import structlog

from ..core import limits
from ..core.app import App
from ..core.clock import Clock
from ..core.dyno import Dyno
from ..core.errors import PlatformError
from ..core.scheduled_job import ACTOR, PROCESS_TYPE, Rewind, Run, ScheduledJob, Skip, decided, told_skip
from ..store.apps import lock_app
from ..store.database import Transaction
from ..store.dynos import TerminalWish, find_dyno, set_dyno
from ..store.scheduled_jobs import find_job, jobs_to_decide, soonest_due, update_job
from ..store.vault import Vault
from .parts import Releasing
from .run import record_one_off
from .tell import tell

_LATE = timedelta(seconds=60)
_WAIT_S = 2.0  # for what is due and cannot be run yet
_WAITS = "waits: "
_log = structlog.get_logger("scheduler")


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of a look at one job, to be told: lines of `heroku[scheduler]`, one of `app[api]`."""

    app: App
    lines: tuple[str, ...] = ()
    start: str = ""


async def keep_schedule(**parts: Unpack[Releasing]) -> None:
    """Runs what is due. For ever."""
    clock = parts["clock"]
    while True:
        try:
            wait_s = await run_due_jobs(**parts)
        except PlatformError as problem:
            _log.warning("jobs wait", reason=problem.message)
            wait_s = 1.0
        except Exception:
            _log.exception("jobs could not be looked after")
            wait_s = limits.SCHEDULER_LOOK_S
        await clock.sleep(wait_s)


async def run_due_jobs(**parts: Unpack[Releasing]) -> float:
    """One look at all jobs; gives the seconds until the next. A job that fails does not keep the others."""
    db, clock = parts["db"], parts["clock"]
    async with db.reading() as tx:
        found = await jobs_to_decide(tx, clock.now())
    for job in found:
        try:
            await _decide(job, **parts)
        except PlatformError as problem:
            _log.warning("a job waits", job=str(job.id), reason=problem.message)
    async with db.reading() as tx:
        soonest = await soonest_due(tx)
    left_s = (soonest - clock.now()).total_seconds() if soonest else limits.SCHEDULER_LOOK_S
    return min(limits.SCHEDULER_LOOK_S, left_s) if left_s > 0 else _WAIT_S


async def _decide(seen: ScheduledJob, **parts: Unpack[Releasing]) -> None:
    clock, log_writer, told = parts["clock"], parts["log_writer"], None
    async with parts["db"].transaction() as tx:
        app, job = await lock_app(tx, seen.app_id), await find_job(tx, seen.id)
        if app is not None and job is not None:
            told = await _decided(tx, app, job, vault=parts["vault"], default_size=parts["default_size"], clock=clock)
    if told is None:
        return
    if told.lines:
        await tell(told.app.id, PROCESS_TYPE, *told.lines, log_writer=log_writer, clock=clock)
    if told.start:
        await tell(told.app.id, "api", told.start, log_writer=log_writer, clock=clock, source="app")
    parts["supervision"].wake(told.app.id)


async def _decided(tx: Transaction, app: App, job: ScheduledJob, *, vault: Vault, default_size: str, clock: Clock) -> _Told | None:
    """Carries out what is to be done with a job now, in the transaction that says so."""
    now = clock.now()
    verdict, after = decided(job.schedule, job.due_at, now), job.schedule.next_due(now)
    name = f"`{job.command[:200]}`"
    match verdict:
        case None:
            return None
        case Rewind():
            await update_job(tx, replace(job, due_at=after))
            return _Told(app, (f"The platform's clock went back; {name} is due at {after:%Y-%m-%d %H:%M} UTC",))
        case Skip():
            outcome = (job.last_outcome or "").removeprefix(_WAITS) if _is_waiting(job) else told_skip(verdict)
            await update_job(tx, replace(job, due_at=after, last_due_at=verdict.due_at, last_outcome=f"skipped: {outcome}"))
            return _Told(app, (f"Skipped {name}: {outcome}",))
    if (before := await _still_running(tx, job)) is not None:
        return await _waiting(tx, app, before, name, verdict, now)
    lines = _foretold(verdict, name, now)
    try:
        dyno, _ = await record_one_off(
            tx,
            app,
            job.command,
            type=PROCESS_TYPE,
            size=job.size,
            default_size=default_size,
            lives_s=(after - now).total_seconds(),
            env={},
            wish=TerminalWish(),
            by=None,
            vault=vault,
            clock=clock,
        )
    except PlatformError as refused:
        return await _refused(tx, app, job, name, verdict, refused.message)
    await update_job(tx, replace(job, due_at=after, last_due_at=verdict.due_at, last_dyno_id=dyno.id, last_outcome=f"run by {dyno.name}"))
    return _Told(app, lines, f"Starting process with command {name} by user {ACTOR}")


async def _still_running(tx: Transaction, job: ScheduledJob) -> Dyno | None:
    dyno = await find_dyno(tx, job.last_dyno_id) if job.last_dyno_id else None
    return dyno if dyno is not None and dyno.ended_at is None else None


async def _waiting(tx: Transaction, app: App, before: Dyno, name: str, verdict: Run, now: datetime) -> _Told | None:
    """A run lasts until the job is due again at most: it is ended, and the next begins once it is gone, so that two never overlap."""
    if before.retiring is not None:
        return None
    await set_dyno(tx, before.id, retiring="stop")
    return _Told(app, (f"{name} is due at {verdict.due_at:%H:%M} UTC while {before.name} still runs it; it is stopped first",))


def _is_waiting(job: ScheduledJob) -> bool:
    return (job.last_outcome or "").startswith(_WAITS)


async def _refused(tx: Transaction, app: App, job: ScheduledJob, name: str, verdict: Run, reason: str) -> _Told | None:
    """It is tried again until it is too late: another one-off may end, code may be pushed. Told once."""
    outcome = f"{_WAITS}{reason}"
    if job.last_outcome == outcome:
        return None
    await update_job(tx, replace(job, last_outcome=outcome))
    return _Told(app, (f"{name}, due at {verdict.due_at:%H:%M} UTC, waits: {reason}",))


def _foretold(verdict: Run, name: str, now: datetime) -> tuple[str, ...]:
    lines = [f"Skipped {name}: {told_skip(verdict)}"] if verdict.missed else []
    if now - verdict.due_at > _LATE:
        lines.append(f"Running {name} late, due at {verdict.due_at:%H:%M} UTC")
    return tuple(lines)
