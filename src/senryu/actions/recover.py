"""What is put right once, when the platform starts: work that a crash cut off and nobody goes on with."""

from __future__ import annotations

from dataclasses import replace

from ..core.build import BuildStatus
from ..core.clock import Clock
from ..core.log_line import LogWriter
from ..store.apps import find_app
from ..store.builds import list_pending_builds, update_build
from ..store.database import Database
from ..store.usage import end_with_machine
from .note import note
from .tell import tell


async def recover(*, db: Database, log_writer: LogWriter, clock: Clock) -> None:
    """Marks interrupted builds failed, so that the next push of their apps can build; ends what the machine's own end ended."""
    reason = "The build was interrupted by a restart of the platform; push again."
    async with db.transaction() as tx:
        await end_with_machine(tx, clock.boot())
        pending = await list_pending_builds(tx)
        for build in pending:
            failed = replace(build, status=BuildStatus.FAILED, failure=reason, updated_at=clock.now())
            await update_build(tx, failed)
            app = await find_app(tx, build.app_id)
            if app is not None:
                await note(tx, app, failed, "update", now=clock.now(), by=build.user_id, was=build)
    for build in pending:
        await tell(build.app_id, "api", f"Build failed: {reason}", log_writer=log_writer, clock=clock, source="app")
