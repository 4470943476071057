"""Sending an app's log elsewhere, and no longer."""

from __future__ import annotations

from uuid import uuid4

from ..core.account import Account
from ..core.address import Resolver, checked_address
from ..core.app import App
from ..core.clock import Clock
from ..core.errors import Invalid, NotFound
from ..core.limits import DRAINS_PER_APP_MAX
from ..core.log_drain import Draining, LogDrain, masked, receiver
from ..core.log_line import LogFilter, LogReader, LogWriter
from ..store.apps import lock_app
from ..store.database import Database
from ..store.log_drains import create_log_drain, delete_log_drain, list_log_drains
from ..store.vault import Vault
from .tell import tell


async def add_drain(
    app: App,
    url: str,
    *,
    by: Account,
    resolver: Resolver,
    allow_private: bool,
    db: Database,
    vault: Vault,
    drains: Draining,
    log_reader: LogReader,
    log_writer: LogWriter,
    clock: Clock,
) -> LogDrain:
    """Sends what the app's log gets from now on to a receiver.

    Raises: Invalid when the URL is bad, leads into a private network, is a drain of the app already, or five others are; NotFound when
    the app is destroyed meanwhile.
    """
    wanted, now = receiver(url), clock.now()
    checked_address(await resolver.addresses(wanted.host, wanted.port), wanted.port, what="the drain", allow_private=allow_private)
    newest = await log_reader.history(app.id, LogFilter(), 1)
    made = LogDrain(uuid4(), app.id, url, f"d.{uuid4()}", newest[0].seq if newest else 0, now, now)
    async with db.transaction() as tx:
        if await lock_app(tx, app.id) is None:
            raise NotFound(f"{app.name} is destroyed.")
        others = await list_log_drains(tx, app.id, vault=vault)
        if any(drain.url == url for drain in others):
            raise Invalid(f"{masked(url)} is a drain of {app.name} already.", app=app.name)
        if len(others) >= DRAINS_PER_APP_MAX:
            raise Invalid(f"{app.name} has {DRAINS_PER_APP_MAX} drains already; remove one first.", app=app.name)
        await create_log_drain(tx, made, vault=vault)
    drains.wake()
    await tell(app.id, "api", f"Add {masked(url)} drain by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return made


async def find_drain(app: App, url_token_or_id: str, *, db: Database, vault: Vault) -> LogDrain:
    """An app's drain by its URL, token or id. Raises: NotFound."""
    async with db.reading() as tx:
        found = await list_log_drains(tx, app.id, vault=vault)
    for drain in found:
        if url_token_or_id in (drain.url, drain.token, str(drain.id)):
            return drain
    raise NotFound(f"Couldn't find that drain of {app.name}; `senryu drains` lists them.", app=app.name)


async def remove_drain(
    app: App, url_token_or_id: str, *, by: Account, db: Database, vault: Vault, drains: Draining, log_writer: LogWriter, clock: Clock
) -> LogDrain:
    """Ends a drain; what waits for it is not sent. Raises: NotFound."""
    gone = await find_drain(app, url_token_or_id, db=db, vault=vault)
    async with db.transaction() as tx:
        await delete_log_drain(tx, gone.id)
    drains.wake()
    await tell(app.id, "api", f"Remove {masked(gone.url)} drain by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return gone
