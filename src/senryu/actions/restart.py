"""Restarting and stopping dynos at a user's word."""

from __future__ import annotations

from ..core.account import Account
from ..core.app import App
from ..core.clock import Clock
from ..core.dyno import Dyno, DynoKind
from ..core.errors import NotFound
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..store.database import Database, Transaction
from ..store.dynos import delete_dyno, list_dynos, set_dyno
from .sleep import tell_unidling, woken
from .tell import tell


async def _meant(tx: Transaction, app: App, which: str | None) -> list[Dyno]:
    """Dynos by name (`web.1`), type (`web`) or all."""
    dynos = [dyno for dyno in await list_dynos(tx, app.id) if which in (None, dyno.name, dyno.type)]
    if which is not None and not any(dyno.ended_at is None or dyno.kind is DynoKind.FORMATION for dyno in dynos):
        raise NotFound(f"Couldn't find that dyno ({which}). `senryu ps -a {app.name}` lists what runs.", app=app.name)
    return dynos


async def restart(
    app: App, which: str | None, *, by: Account, db: Database, log_writer: LogWriter, supervision: Supervision, clock: Clock
) -> None:
    """Replaces dynos: new ones first, so that no request is lost; crashed ones at once, their back-off forgotten.

    Takes: `which`, a dyno's name, a process type, or None for all of the formation. Raises: NotFound.
    """
    async with db.transaction() as tx:
        meant = await _meant(tx, app, which)
        idle = await woken(tx, app.id) if any(dyno.kind is DynoKind.FORMATION for dyno in meant) else []
        for dyno in meant:
            if dyno.kind is not DynoKind.FORMATION:
                if which is not None and dyno.ended_at is None:
                    await set_dyno(tx, dyno.id, retiring="stop")
            elif dyno.ended_at is not None:
                await set_dyno(tx, dyno.id, retiring="restart")
            else:
                await set_dyno(tx, dyno.id, retiring="restart", crashes=0)
    asked = f"Restart of {which or 'all dynos'} asked by user {by.email}"
    await tell(app.id, "api", asked, log_writer=log_writer, clock=clock, source="app")
    await tell_unidling(app.id, idle, log_writer=log_writer, clock=clock)
    supervision.wake(app.id)


async def stop(
    app: App, which: str, *, by: Account, db: Database, log_writer: LogWriter, supervision: Supervision, clock: Clock
) -> None:
    """SIGTERM to dynos now. One-off dynos end; dynos of the formation come back, as `ps:scale` is what ends those. Raises: NotFound."""
    async with db.transaction() as tx:
        for dyno in await _meant(tx, app, which):
            if dyno.ended_at is not None:
                if dyno.kind is DynoKind.FORMATION:
                    await delete_dyno(tx, dyno.id)
                continue
            await set_dyno(tx, dyno.id, retiring="stop", crashes=0)
    await tell(app.id, "api", f"Stop of {which} asked by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    supervision.wake(app.id)
