"""Building: source in, slug out, a build's record of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Unpack
from uuid import UUID, uuid4

from ..core.account import Account
from ..core.app import App
from ..core.build import Build, BuildFailed, BuildOrder, BuildStatus, Built, Streams
from ..core.clock import Clock
from ..core.errors import Conflict, NotFound, PlatformError
from ..core.log_line import LogWriter
from ..core.object_store import buckets_in
from ..core.reach import reached_ports
from ..core.slug import Slug
from ..core.source import Source
from ..store.add_ons import attached_variables
from ..store.apps import list_buildpacks, lock_app
from ..store.builds import create_build, create_slug, find_build, list_pending_builds, update_build
from ..store.database import Database
from ..store.releases import latest_release
from ..store.vault import Vault
from .note import note
from .parts import Deploying
from .tell import tell

Output = Callable[[bytes], Awaitable[None]]


def build_task(id: UUID) -> str:
    """What a build is carried out as, and cancelled by."""
    return f"build:{id}"


async def begin_build(app: App, source: Source, *, by: Account, id: UUID | None = None, db: Database, clock: Clock) -> Build:
    """Notes that a build starts. Raises: Conflict while another build of the app is under way."""
    now = clock.now()
    async with db.transaction() as tx:
        held = await lock_app(tx, app.id)
        if held is None:
            raise NotFound("Couldn't find that app.")
        if any(build.app_id == app.id for build in await list_pending_builds(tx)):
            raise Conflict(f"Another build of {app.name} is under way; wait for its end and push again.", app=app.name)
        packs = tuple(buildpack.url for buildpack in await list_buildpacks(tx, app.id))
        build = Build(id or uuid4(), app.id, by.id, BuildStatus.PENDING, source, held.build_stack, packs, now, now)
        await create_build(tx, build)
        await note(tx, held, build, "create", now=now, by=by.id)
    return build


async def _order_of(app: App, started: Build, db: Database, vault: Vault) -> BuildOrder:
    async with db.reading() as tx:
        packs = tuple(await list_buildpacks(tx, app.id))
        latest = await latest_release(tx, app.id, vault=vault)
        attached = await attached_variables(tx, app.id, vault=vault)
    config = {**(latest.config_vars if latest else {}), **attached}
    ports, buckets = reached_ports(config, attached), buckets_in(config.values())
    return BuildOrder(
        started.id, app.id, app.name, started.source, packs, config, started.stack, reaches=ports, buckets=buckets
    )


async def build(
    app: App,
    started: Build,
    output: Output,
    *,
    by: Account,
    **parts: Unpack[Deploying],
) -> tuple[Build, Slug, Built]:
    """Carries a begun build to its end; what it prints goes to `output` and to its stream.

    Until it has ended, `cancel` of Supervision ends it by `build_task`.
    Raises: BuildFailed, also when it was cancelled; Unavailable; the build is then `failed` with the reason.
    """
    db, streams, log_writer, clock = parts["db"], parts["streams"], parts["log_writer"], parts["clock"]

    async def both(chunk: bytes) -> None:
        await streams.append(started.id, chunk)
        await output(chunk)

    try:
        return await _cancellable(app, started, both, by=by, **parts)
    except BaseException as problem:
        # Whatever ends it, a bug included: a build left pending would keep the app from ever building again.
        reason = problem.message if isinstance(problem, PlatformError) else "The build was ended with the platform; push again."
        if not isinstance(problem, PlatformError | asyncio.CancelledError):
            reason = "The platform failed; push again."
        await asyncio.shield(_end_build(app, started, reason, db=db, streams=streams, log_writer=log_writer, clock=clock))
        raise


async def _cancellable(
    app: App,
    started: Build,
    output: Output,
    *,
    by: Account,
    **parts: Unpack[Deploying],
) -> tuple[Build, Slug, Built]:
    work = _carried(app, started, output, by=by, **parts)
    try:
        return await parts["supervision"].cancellable(build_task(started.id), work)
    except Conflict as problem:
        if problem.id != "cancelled":
            raise
        raise BuildFailed(f"The build of {app.name} was cancelled; push again to begin anew.") from None


async def _carried(
    app: App,
    started: Build,
    output: Output,
    *,
    by: Account,
    **parts: Unpack[Deploying],
) -> tuple[Build, Slug, Built]:
    db, log_writer, clock = parts["db"], parts["log_writer"], parts["clock"]
    await tell(app.id, "api", f"Build started by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    built = await parts["builder"].build(await _order_of(app, started, db, parts["vault"]), output)
    slug = Slug(
        id=uuid4(),
        app_id=app.id,
        checksum=built.checksum,
        size_bytes=built.size_bytes,
        process_types=built.process_types,
        stack=started.stack,
        created_at=clock.now(),
        commit=started.source.version,
        commit_description=started.source.version_description,
        buildpack_provided_description=built.description,
        buildpacks=built.buildpacks,
    )
    done = replace(started, status=BuildStatus.SUCCEEDED, slug_id=slug.id, buildpacks=built.buildpacks, updated_at=clock.now())
    async with db.transaction() as tx:
        if await lock_app(tx, app.id) is None:
            raise NotFound(f"{app.name} was destroyed while it was built.")
        await create_slug(tx, slug)
        await update_build(tx, done)
        await note(tx, app, done, "update", now=done.updated_at, by=by.id, was=started)
    await tell(app.id, "api", "Build succeeded", log_writer=log_writer, clock=clock, source="app")
    return done, slug, built


async def _end_build(
    app: App, started: Build, reason: str, *, db: Database, streams: Streams, log_writer: LogWriter, clock: Clock
) -> None:
    failed = replace(started, status=BuildStatus.FAILED, failure=reason, updated_at=clock.now())
    async with db.transaction() as tx:
        is_known = await find_build(tx, app.id, started.id) is not None
        await update_build(tx, failed)
        if is_known:
            await note(tx, app, failed, "update", now=failed.updated_at, by=started.user_id, was=started)
    if not is_known:
        await streams.forget(started.id)
        return
    await streams.append(started.id, f" !     {reason}\n".encode())
    await streams.finish(started.id)
    await tell(app.id, "api", f"Build failed: {reason}", log_writer=log_writer, clock=clock, source="app")
