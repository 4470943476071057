"""Keeping the disk within its budget: what is older than Heroku keeps goes.

Source: https://devcenter.heroku.com/changelog-items/3395 (30 days or the last 20 releases)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from ..core.build import Streams
from ..core.clock import Clock
from ..core.errors import PlatformError
from ..core.limits import OUTPUTS_KEPT, RELEASES_KEPT_S, SLUGS_KEPT_MAX_BYTES
from ..core.log_line import LogReader
from ..core.release import ReleaseStatus, expiring
from ..core.slug import BlobStore, slug_key
from ..store.apps import list_apps
from ..store.builds import expire_slug, expire_unreleased_slugs, kept_checksums, list_builds, list_pending_builds, slug_sizes
from ..store.database import Database
from ..store.releases import list_releases, update_status
from ..store.sources import delete_source, old_sources, source_ids
from ..store.vault import Vault

EVERY_S = 3600.0
_SOURCES_KEPT_S = 24 * 3600.0
_log = structlog.get_logger("retain")


async def retain(*, db: Database, vault: Vault, blobs: BlobStore, streams: Streams, log_reader: LogReader, clock: Clock) -> None:
    """Looks once an hour, for ever."""
    suspects: set[str] = set()
    while True:
        await clock.sleep(EVERY_S)
        try:
            suspects = await retain_once(suspects, db=db, vault=vault, blobs=blobs, streams=streams, clock=clock)
            await forget_lost_logs(db, log_reader)
        except PlatformError as problem:
            _log.warning("retention failed", reason=problem.message)
        except Exception:
            _log.exception("retention failed")


async def forget_lost_logs(db: Database, log_reader: LogReader) -> None:
    """A request's line that is read after its app was destroyed, and after a restart, begins a log anew."""
    kept = await log_reader.apps()  # first: an app has its row before its log
    async with db.reading() as tx:
        there = {app.id for app in await list_apps(tx)}
    for app_id in kept - there:
        await log_reader.forget(app_id)


async def retain_once(
    suspects: set[str],
    *,
    db: Database,
    vault: Vault,
    blobs: BlobStore,
    streams: Streams,
    clock: Clock,
    slugs_max_bytes: int = SLUGS_KEPT_MAX_BYTES,
) -> set[str]:
    """Expires old releases, then deletes the objects and streams that no row names any more.

    Takes and gives: objects without a row. One is deleted when it was so at the last look too, as a build writes its row last.
    Takes: `slugs_max_bytes`, what one app's slugs beyond its last releases may take.
    """
    now = clock.now()
    async with db.reading() as tx:
        apps = await list_apps(tx)
    for app in apps:
        async with db.transaction() as tx:
            releases = await list_releases(tx, app.id, vault=vault)
            gone = expiring(releases, now, await slug_sizes(tx, app.id), slugs_max_bytes)
            kept_slugs = {release.slug_id for release in releases if release not in gone and release.status is not ReleaseStatus.EXPIRED}
            for release in gone:
                if release.status is ReleaseStatus.SUCCEEDED:
                    await update_status(tx, release.id, ReleaseStatus.EXPIRED, now)
                if release.slug_id is not None and release.slug_id not in kept_slugs:
                    await expire_slug(tx, release.slug_id)
            await expire_unreleased_slugs(tx, app.id, now - timedelta(seconds=RELEASES_KEPT_S))
            builds = await list_builds(tx, app.id)
        await _forget_outputs([(release.id, release.created_at) for release in releases], streams, now)
        await _forget_outputs([(build.id, build.created_at) for build in builds], streams, now)
    return await _delete_unnamed(suspects, db=db, blobs=blobs, clock=clock)


async def _forget_outputs(made: Sequence[tuple[UUID, datetime]], streams: Streams, now: datetime) -> None:
    """Of builds or releases, oldest first: all but the newest, and all that are old."""
    for place, (id, at) in enumerate(reversed(made)):
        if place >= OUTPUTS_KEPT or (now - at).total_seconds() > RELEASES_KEPT_S:
            await streams.forget(id)


async def _delete_unnamed(suspects: set[str], *, db: Database, blobs: BlobStore, clock: Clock) -> set[str]:
    """Slug objects without a row, sources no pending build uses, uploads that were cut off, and places to upload to that grew old."""
    keys = {key for prefix in ("slugs/", "sources/", "uploads/") for key in await blobs.keys(prefix)}
    async with db.transaction() as tx:
        kept = {slug_key(checksum) for checksum in await kept_checksums(tx)}
        kept |= {build.source.key for build in await list_pending_builds(tx)}
        for source_id in await old_sources(tx, clock.now() - timedelta(seconds=_SOURCES_KEPT_S)):
            await delete_source(tx, source_id)
        kept |= {f"sources/{source_id}.tgz" for source_id in await source_ids(tx)}
    unnamed = keys - kept
    for key in unnamed & suspects:
        await blobs.delete(key)
    return unnamed - suspects
