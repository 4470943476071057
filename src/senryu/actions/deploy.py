"""Deploying: build, release, roll out. `git push` and the builds API come through here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Unpack

from ..core import limits
from ..core.account import Account
from ..core.app import App
from ..core.build import Build, BuildFailed, Built, Streams
from ..core.clock import Clock
from ..core.errors import PlatformError
from ..core.formation import Supervision
from ..core.release import Release, ReleaseStatus
from ..core.slug import Slug
from ..store.builds import find_build, update_build
from ..store.database import Database
from ..store.releases import find_release, has_code, note_timing
from ..store.vault import Vault
from .build import Output, build
from .give_database import give_database
from .parts import Deploying, released_with
from .release import Draft, release
from .timing import boot_timing


async def deploy(
    app: App,
    started: Build,
    output: Output,
    *,
    by: Account,
    web_url: str,
    before: Mapping[str, float] | None = None,
    **parts: Unpack[Deploying],
) -> Release:
    """Carries a begun build through to a release that serves.

    Takes: `before`, seconds that steps before the build took, by name; they and those of all steps here become the release's timing.

    Raises: BuildFailed when the source cannot be built, the release phase fails, or web dynos do not come up while the release before
    serves on; nothing has changed for visitors then.
    """
    db, streams, supervision, clock = parts["db"], parts["streams"], parts["supervision"], parts["clock"]
    began = clock.monotonic()
    done, slug, built = await build(app, started, output, by=by, **parts)
    build_s = clock.monotonic() - began

    async def say(text: str) -> None:
        await streams.append(done.id, text.encode())
        await output(text.encode())

    try:
        is_given = await give_database(app, built, say, by=by, **parts)
        given_s = clock.monotonic() - began - build_s
        await say("-----> Launching...\n")
        made = await _release(app, slug, built, done, by=by, **parts)
        released_s = clock.monotonic() - began - build_s - given_s
        await say(f"       Released v{made.version}\n")
        if made.status is ReleaseStatus.PENDING:
            made = await _run_phase(made, output, streams=streams, supervision=supervision)
        trouble = await supervision.rolled_out(made, limits.BOOT_TIMEOUT_S + limits.START_TIMEOUT_S)
        timing = {**(before or {}), **built.timing, **({"database_s": given_s} if is_given else {}), "release_s": released_s}
        timing |= await boot_timing(made, db=db, supervision=supervision, clock=clock)
        timing["total_s"] = sum((before or {}).values()) + clock.monotonic() - began
        await _judge(made, trouble, timing, say, web_url, db=db, vault=parts["vault"], clock=clock)
    except PlatformError as problem:
        await streams.append(done.id, f" !     {problem.message}\n".encode())  # the pusher is told by whoever called
        raise
    finally:
        await streams.finish(done.id)
        async with db.reading() as tx:
            is_known = await find_build(tx, app.id, done.id) is not None
        if not is_known:
            await streams.forget(done.id)  # the app was destroyed: nothing of it stays
    return made


async def _release(app: App, slug: Slug, built: Built, done: Build, *, by: Account, **parts: Unpack[Deploying]) -> Release:
    db = parts["db"]
    async with db.reading() as tx:
        is_first = not await has_code(tx, app.id)
    asked: Mapping[str, str] = built.config_vars if is_first else {}
    description = f"Deploy {slug.commit[:8]}" if slug.commit else "Deploy"

    def draft(latest: Release | None) -> Draft:
        config = {**asked, **(latest.config_vars if latest else {})}
        return Draft(description, config, slug, slug.process_types, slug.commit)

    made = await release(app, draft, by=by, **released_with(parts))
    assert made is not None
    async with db.transaction() as tx:
        stored = await find_build(tx, app.id, done.id)
        if stored is not None:
            await update_build(tx, replace(stored, release_id=made.id, updated_at=parts["clock"].now()))
    return made


async def _run_phase(made: Release, output: Output, *, streams: Streams, supervision: Supervision) -> Release:
    """Streams the release phase to whoever caused it. Raises: BuildFailed when it fails."""
    await output(b"-----> Running release command...\n")
    await streams.begin(made.id)
    supervision.wake(made.app_id)
    settling = asyncio.ensure_future(supervision.settled(made, limits.RELEASE_PHASE_TIMEOUT_S + limits.START_TIMEOUT_S))
    try:
        async for chunk in streams.read(made.id):
            await output(chunk)
        settled = await settling
    finally:
        settling.cancel()
    if settled.status is ReleaseStatus.FAILED:
        raise BuildFailed(f"Release v{made.version} failed: {settled.failure}. The release before it goes on running.")
    return settled


async def _judge(
    made: Release,
    trouble: str | None,
    timing: Mapping[str, float],
    say: Callable[[str], Awaitable[None]],
    web_url: str,
    *,
    db: Database,
    vault: Vault,
    clock: Clock,
) -> None:
    """Says how the roll-out went. A first deploy that does not boot stands (there is nothing to keep); a later one has failed."""
    async with db.transaction() as tx:
        await note_timing(tx, made.id, timing)
        now = await find_release(tx, made.app_id, made.id, vault=vault)
    if now is None or now.status is ReleaseStatus.FAILED:
        raise BuildFailed(f"Release v{made.version} did not start: {trouble}. The release before it goes on serving; see `senryu logs`.")
    if trouble is not None:
        await say(f" !     v{made.version} is released, but {trouble}. See `senryu logs`.\n")
    await say(f"       {web_url} deployed to Senryu\n")
