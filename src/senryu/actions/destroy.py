"""Destroying an app and everything that was its own."""

from __future__ import annotations

from ..core.app import App
from ..core.build import Builder, Streams
from ..core.dyno import Engine
from ..core.formation import Supervision
from ..core.log_line import LogReader
from ..core.route import Router
from ..core.slug import BlobStore, slug_key
from ..store.apps import delete_app, lock_app
from ..store.builds import kept_checksums, list_builds
from ..store.database import Database
from ..store.dynos import list_dynos
from ..store.releases import list_releases
from ..store.vault import Vault
from .build import build_task


async def destroy(
    app: App,
    *,
    db: Database,
    vault: Vault,
    engine: Engine,
    router: Router,
    blobs: BlobStore,
    builder: Builder,
    streams: Streams,
    log_reader: LogReader,
    supervision: Supervision,
) -> None:
    """Takes the rows first: from then on the app is gone for everyone, and what a crash leaves behind the sweep finds unwanted."""
    async with db.transaction() as tx:
        await lock_app(tx, app.id)
        dynos = await list_dynos(tx, app.id)
        builds = await list_builds(tx, app.id)
        releases = await list_releases(tx, app.id, vault=vault)
        await delete_app(tx, app.id)
    for build in builds:
        supervision.cancel(build_task(build.id))
    supervision.wake(app.id)
    await router.remove(app.id)
    for dyno in dynos:
        await engine.remove(dyno.id)
    async with db.reading() as tx:
        kept = await kept_checksums(tx)
    for checksum in {release.slug_checksum for release in releases if release.slug_checksum} - kept:
        await blobs.delete(slug_key(checksum))
    for stream_id in [build.id for build in builds] + [release.id for release in releases]:
        await streams.forget(stream_id)
    await builder.purge_cache(app.id)
    await log_reader.forget(app.id)
