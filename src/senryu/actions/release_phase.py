"""Running a release's `release:` command, and settling the release by how it ends.

Source: https://devcenter.heroku.com/articles/release-phase
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from ..core import limits
from ..core.app import App
from ..core.build import Streams
from ..core.clock import Clock
from ..core.dyno import Dyno, DynoKind, DynoState, Engine, OutputReader
from ..core.dyno_size import DEFAULT
from ..core.errors import Invalid, NotFound, Unavailable
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..core.release import Release, ReleaseStatus
from ..store.apps import find_app
from ..store.database import Database
from ..store.dyno_sizes import list_sizes
from ..store.dynos import create_dyno, find_dyno
from ..store.formation import list_formation
from ..store.releases import update_status
from ..store.vault import Vault
from .note import note
from .start_dyno import record, start_dyno
from .tell import tell

_LAST_WORDS = timedelta(seconds=2 * limits.EXIT_GRACE_S)


async def _dyno_of(app: App, release: Release, db: Database, clock: Clock) -> Dyno:
    """The phase's dyno; its id follows from the release, so that a phase interrupted by a crash is found again and not run twice."""
    id = uuid5(NAMESPACE_OID, f"release phase of {release.id}")
    async with db.transaction() as tx:
        known = await find_dyno(tx, id)
        if known is not None:
            return known
        sizes = {entry.type: entry.size for entry in await list_formation(tx, app.id)}
        only = (await list_sizes(tx)).of_app(sizes.values())
        dyno = record(
            app,
            release,
            kind=DynoKind.RELEASE,
            type="release",
            number=1000 + id.int % 9000,
            command=release.process_types["release"],
            size=sizes.get("release", (only or DEFAULT).name),
            clock=clock,
            lives_s=limits.RELEASE_PHASE_TIMEOUT_S,
            id=id,
        )
        await create_dyno(tx, dyno)
        await note(tx, app, dyno, "create", now=clock.now(), by=release.user_id)
    return dyno


async def _copy_output(dyno: Dyno, release: Release, output: OutputReader, streams: Streams) -> None:
    async for batch in output.output(dyno.id, -1):
        await streams.append(release.id, b"".join(line.text + b"\n" for line in batch))


async def _settle(app: App, release: Release, failure: str | None, db: Database, clock: Clock) -> bool:
    """Whether the app is still there."""
    status, now = ReleaseStatus.FAILED if failure else ReleaseStatus.SUCCEEDED, clock.now()
    async with db.transaction() as tx:
        is_known = await find_app(tx, app.id) is not None
        await update_status(tx, release.id, status, now, failure=failure)
        await note(tx, app, replace(release, status=status, updated_at=now), "update", now=now, by=release.user_id, was=release)
    return is_known


async def run_release_phase(
    app: App,
    release: Release,
    *,
    db: Database,
    vault: Vault,
    engine: Engine,
    output: OutputReader,
    streams: Streams,
    supervision: Supervision,
    log_writer: LogWriter,
    clock: Clock,
) -> None:
    """Runs the phase of a pending release to its end. Safe to call again after a crash at any point of it."""
    failure: str | None = None
    dyno: Dyno | None = None
    try:
        dyno = await _dyno_of(app, release, db, clock)
        await streams.begin(release.id)
        if dyno.ended_at is None:
            if dyno.state is DynoState.STARTING:
                await start_dyno(
                    app, release, dyno, is_new=False, db=db, vault=vault, engine=engine, log_writer=log_writer, clock=clock
                )
            await _copy_output(dyno, release, output, streams)
            dyno = await supervision.ended(dyno.id, limits.RELEASE_PHASE_TIMEOUT_S + limits.EXIT_GRACE_S * 2)
        await engine.remove(dyno.id)
        if dyno.exit_code != 0 or dyno.state is not DynoState.COMPLETE:
            how = "was interrupted" if dyno.exit_code is None else f"failed with exit status {dyno.exit_code}"
            failure = f"release command {how}"
    except Unavailable as problem:
        # The engine or database is away for a while; the command may well go on. The next sweep looks again, until the phase's time is up.
        is_over = dyno is not None and dyno.expires_at is not None and clock.now() > dyno.expires_at + _LAST_WORDS
        if not is_over:
            return
        failure = problem.message
    except (Invalid, NotFound) as problem:
        failure = problem.message
    is_known = await _settle(app, release, failure, db, clock)
    await streams.finish(release.id)
    if not is_known:
        await streams.forget(release.id)  # the app was destroyed: nothing of it stays
        return
    text = f"Release v{release.version} failed: {failure}" if failure else f"Release v{release.version} succeeded"
    await tell(app.id, "api", text, log_writer=log_writer, clock=clock, source="app")
    supervision.wake(app.id)
