"""Destroying an app and everything that was its own."""

from __future__ import annotations

import asyncio
from typing import TypedDict, Unpack
from uuid import UUID

import structlog

from ..core.account import Account
from ..core.app import App
from ..core.build import Builder, Streams
from ..core.certificate_order import Certifying
from ..core.clock import Clock
from ..core.dyno import Engine
from ..core.errors import NotFound
from ..core.log_line import LogReader
from ..core.route import Router
from ..core.slug import BlobStore, slug_key
from ..core.source import Repositories
from ..store.add_ons import leave_add_ons, list_add_ons, lock_add_ons
from ..store.apps import delete_app, find_app, find_apps
from ..store.builds import kept_checksums, list_builds
from ..store.database import Database, Transaction
from ..store.dynos import list_dynos
from ..store.releases import list_releases
from ..store.remains import Remains, forget_remains, list_remains, note_remains
from ..store.usage import end_app_usage, first_beat
from ..store.webhooks import end_webhooks
from .build import build_task
from .note import note
from .parts import Releasing
from .release import Made, announce
from .release_attached import release_users

_log = structlog.get_logger("destroy")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0


class Clearing(TypedDict):
    """Where an app has things outside the database."""

    db: Database
    engine: Engine
    router: Router
    blobs: BlobStore
    builder: Builder
    repositories: Repositories
    streams: Streams
    log_reader: LogReader


async def destroy(app: App, *, by: Account, releasing: Releasing, certifying: Certifying, **parts: Unpack[Clearing]) -> None:
    """Takes the rows and notes what they named, in one transaction: from then on the app is gone for everyone.

    Other apps that had its add-ons attached are released without them.

    What cannot be cleared away now, because the agent or the router is away, is cleared as soon as they are back; after a crash at the
    next start. Raises: NotFound when another call came first.
    """
    supervision, gone = releasing["supervision"], None
    while gone is None:
        async with parts["db"].transaction() as tx:
            gone = await _gone(tx, app, by, **releasing)
    left, released, builds = gone
    for build_id in builds:
        supervision.cancel(build_task(build_id))
    supervision.wake(app.id)
    certifying.wake()
    await announce(*released, **releasing)
    if not await _is_cleared(left, **parts):
        supervision.undertake(f"clear-away:{app.id}", _clear_in_the_end(left, releasing["clock"], **parts))


async def _gone(tx: Transaction, app: App, by: Account, **parts: Unpack[Releasing]) -> tuple[Remains, list[Made], list[UUID]] | None:
    """What it leaves, who was released without its add-ons, its builds. None: it got another add-on meanwhile, to be held as well."""
    vault, clock = parts["vault"], parts["clock"]
    locked = await lock_add_ons(tx, of_app=app.id, app_id=app.id, vault=vault)
    held = await find_app(tx, app.id)
    if held is None:
        raise NotFound(f"{app.name} is destroyed already.")
    if any(add_on.id not in locked for add_on in await list_add_ons(tx, app.id, vault=vault)):
        return None
    builds = [build.id for build in await list_builds(tx, app.id)]
    releases = await list_releases(tx, app.id, vault=vault)
    checksums = {release.slug_checksum for release in releases if release.slug_checksum}
    dynos = [dyno.id for dyno in await list_dynos(tx, app.id)]
    left = Remains(app.id, tuple(checksums), (*builds, *(release.id for release in releases)), tuple(dynos))
    await note_remains(tx, left, clock.now())
    await note(tx, held, held, "destroy", now=clock.now(), by=by.id)
    await end_webhooks(tx, app.id, clock.now())
    await first_beat(tx, clock.boot(), clock.now())  # what the machine's end ended is not to end now
    released = await _leave_add_ons(tx, held, by, **parts)
    await end_app_usage(tx, app.id, clock.now())
    await delete_app(tx, app.id)
    return left, released, builds


async def _leave_add_ons(tx: Transaction, app: App, by: Account, **parts: Unpack[Releasing]) -> list[Made]:
    now = parts["clock"].now()
    lost = await leave_add_ons(tx, app.id, now, vault=parts["vault"])
    users = await find_apps(tx, {attachment.app_id for attachment, _ in lost})
    made: list[Made] = []
    for attachment, _ in lost:
        await note(tx, users[attachment.app_id], attachment, "destroy", now=now, by=by.id)
    for add_on in {add_on.id: add_on for _, add_on in lost}.values():
        had = [attachment for attachment, of in lost if of.id == add_on.id]
        made += await release_users(tx, add_on, "Detach", attached=had, by=by, **parts)
    return made


async def clear_away(left: Remains, **parts: Unpack[Clearing]) -> None:
    """Deletes what a destroyed app left. May be repeated."""
    app_id: UUID = left.app_id
    await parts["router"].remove(app_id)
    for dyno_id in left.dynos:
        await parts["engine"].remove(dyno_id)
    async with parts["db"].reading() as tx:
        kept = await kept_checksums(tx)
    for checksum in set(left.checksums) - kept:
        await parts["blobs"].delete(slug_key(checksum))
    for stream_id in left.streams:
        await parts["streams"].forget(stream_id)
    await parts["builder"].purge_cache(app_id)
    await parts["repositories"].remove(app_id)
    await parts["log_reader"].forget(app_id)
    async with parts["db"].transaction() as tx:
        await forget_remains(tx, app_id)


async def clear_all_away(clock: Clock, **parts: Unpack[Clearing]) -> None:
    """Clears away after destructions that a crash interrupted."""
    async with parts["db"].reading() as tx:
        found = await list_remains(tx)
    await asyncio.gather(*(_clear_in_the_end(left, clock, **parts) for left in found))


async def _clear_in_the_end(left: Remains, clock: Clock, **parts: Unpack[Clearing]) -> None:
    pause_s = _FIRST_PAUSE_S
    while not await _is_cleared(left, **parts):
        await clock.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _is_cleared(left: Remains, **parts: Unpack[Clearing]) -> bool:
    try:
        await clear_away(left, **parts)
    except Exception as problem:
        _log.warning("what a destroyed app left is cleared away later", app=str(left.app_id), reason=str(problem))
        return False
    return True
