"""Having apps of cheap dynos sleep when nobody asks for them, and wake when somebody does.

That an app sleeps is a row; supervise makes it true, as it does everything else. A request that comes while an app falls asleep is held
by the router, and wakes it again: none is refused.
Source: https://devcenter.heroku.com/articles/free-dyno-hours#dyno-sleeping (2022)
"""

from __future__ import annotations

from typing import TypedDict, Unpack
from uuid import UUID

import structlog

from ..core.clock import Clock
from ..core.dyno import DynoKind, DynoState
from ..core.dyno_size import Sizes
from ..core.errors import PlatformError
from ..core.formation import Supervision
from ..core.limits import SLEEP_LOOK_MAX_S, SLEEP_LOOK_MIN_S
from ..core.log_line import LogWriter
from ..core.route import Router
from ..core.sleep import UNIDLING, Sleeper, SleepReason, changes_by_hours, is_idle
from ..store.apps import lock_app
from ..store.database import Database, Transaction
from ..store.dyno_sizes import list_sizes
from ..store.dynos import list_dynos
from ..store.sleeping import list_sleepers, set_awake, set_sleep, sleep_of
from .spend_hours import spent_pools
from .tell import tell

_log = structlog.get_logger("sleep")


class Sleeping(TypedDict):
    """What having apps sleep takes."""

    db: Database
    router: Router
    log_writer: LogWriter
    supervision: Supervision
    clock: Clock


async def have_apps_sleep(**parts: Unpack[Sleeping]) -> None:
    """Looks again and again who falls asleep, and whose hours are used up or there again. For ever."""
    while True:
        wait_s = SLEEP_LOOK_MAX_S
        try:
            wait_s = await look_who_sleeps(**parts)
        except PlatformError as problem:
            _log.warning("could not look who sleeps", reason=problem.message)
        except Exception:
            _log.exception("could not look who sleeps")
        await parts["clock"].sleep(wait_s)


async def wake_apps(**parts: Unpack[Sleeping]) -> None:
    """Wakes every sleeping app that the router says somebody waits for. For ever."""
    while True:
        try:
            async for app_id in parts["router"].waiting():
                await wake_up(app_id, **parts)
        except PlatformError as problem:  # whoever waits is told of again
            _log.warning("could not wake", reason=problem.message)
        except Exception:
            _log.exception("could not wake")
        await parts["clock"].sleep(SLEEP_LOOK_MIN_S)


async def look_who_sleeps(**parts: Unpack[Sleeping]) -> float:
    """One look; gives the seconds until the next one: a tenth of the shortest sleep, within SLEEP_LOOK_MIN_S and SLEEP_LOOK_MAX_S."""
    now = parts["clock"].now()
    async with parts["db"].reading() as tx:
        sizes = await list_sizes(tx)
        cheap = {size.key for size in sizes if size.sleeps_after_s or size.is_pooled}
        sleepers = await list_sleepers(tx, cheap)
        spent = await spent_pools(tx, sizes, {sleeper.payer_id for sleeper in sleepers}, now)
    if not sleepers:
        return SLEEP_LOOK_MAX_S
    changes = changes_by_hours(sleepers, sizes, spent)
    for app_id, reason in changes.items():
        await _set_reason(app_id, reason, **parts)
    awake = [sleeper for sleeper in sleepers if sleeper.reason is None and sleeper.app_id not in changes]
    await _put_to_sleep([sleeper for sleeper in awake if sleeper.sleeps_after_s(sizes)], sizes, **parts)
    shortest = min((sleeper.sleeps_after_s(sizes) or SLEEP_LOOK_MAX_S * 10 for sleeper in sleepers), default=0)
    return min(SLEEP_LOOK_MAX_S, max(SLEEP_LOOK_MIN_S, shortest / 10))


async def _put_to_sleep(sleepers: list[Sleeper], sizes: Sizes, **parts: Unpack[Sleeping]) -> None:
    if not sleepers:
        return
    quiet = await parts["router"].quiet_s()
    for sleeper in sleepers:
        if quiet.get(sleeper.app_id, 0.0) < sleeper.sleeps_after_s(sizes):
            continue
        async with parts["db"].transaction() as tx:
            app = await lock_app(tx, sleeper.app_id)
            dynos = await list_dynos(tx, sleeper.app_id)
            falls_asleep = app is not None and is_idle(sleeper, dynos, sizes, quiet, parts["clock"].now())
            if falls_asleep:
                await set_sleep(tx, sleeper.app_id, SleepReason.IDLE, parts["clock"].now())
        if falls_asleep:
            parts["supervision"].wake(sleeper.app_id)


async def _set_reason(app_id: UUID, reason: SleepReason | None, **parts: Unpack[Sleeping]) -> None:
    async with parts["db"].transaction() as tx:
        if await lock_app(tx, app_id) is None:
            return
        idle = [] if reason else await idle_names(tx, app_id)
        await set_sleep(tx, app_id, reason, parts["clock"].now())
    await tell_unidling(app_id, idle, log_writer=parts["log_writer"], clock=parts["clock"])
    parts["supervision"].wake(app_id)


async def wake_up(app_id: UUID, **parts: Unpack[Sleeping]) -> None:
    """Somebody waits for an app: it runs again, if it has hours. Idempotent."""
    async with parts["db"].reading() as tx:
        if await sleep_of(tx, app_id) is not SleepReason.IDLE:
            return
    async with parts["db"].transaction() as tx:
        idle = await woken(tx, app_id)
    await tell_unidling(app_id, idle, log_writer=parts["log_writer"], clock=parts["clock"])
    parts["supervision"].wake(app_id)


async def woken(tx: Transaction, app_id: UUID) -> list[str]:
    """Has an app run again that nobody asked for so far; gives the names of its idle dynos. Nothing changes for one without hours."""
    if await sleep_of(tx, app_id) is not SleepReason.IDLE:
        return []
    idle = await idle_names(tx, app_id)
    await set_awake(tx, app_id)
    return idle


async def idle_names(tx: Transaction, app_id: UUID) -> list[str]:
    """The dynos of an app that `ps` shows as idle."""
    dynos = await list_dynos(tx, app_id)
    return sorted({dyno.name for dyno in dynos if dyno.kind is DynoKind.FORMATION and dyno.state is DynoState.IDLE})


async def tell_unidling(app_id: UUID, names: list[str], *, log_writer: LogWriter, clock: Clock) -> None:
    """In Heroku's words."""
    for name in names:
        await tell(app_id, name, UNIDLING, "State changed from down to starting", log_writer=log_writer, clock=clock)
