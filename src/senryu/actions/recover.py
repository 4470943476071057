"""What is put right once, when the platform starts: work that a crash cut off and nobody goes on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from ..core.build import BuildStatus
from ..core.clock import Clock
from ..core.errors import PlatformError
from ..core.log_line import LogWriter
from ..store.apps import find_app
from ..store.builds import list_pending_builds, update_build
from ..store.database import Database
from .note import note
from .tell import tell

_AGAIN_S = 5.0
_log = structlog.get_logger("recover")


async def recover(*, db: Database, log_writer: LogWriter, clock: Clock, began: datetime) -> None:
    """Marks interrupted builds failed, so that the next push of their apps can build; tries again while the disk is full.

    Takes: `began`, when this process did; later builds are its own.
    """
    while True:
        try:
            return await _fail_builds(db, log_writer, clock, began)
        except PlatformError as problem:  # apps are served all the same
            _log.warning("interrupted builds not put right yet", reason=problem.message)
        await clock.sleep(_AGAIN_S)


async def _fail_builds(db: Database, log_writer: LogWriter, clock: Clock, began: datetime) -> None:
    reason = "The build was interrupted by a restart of the platform; push again."
    async with db.transaction() as tx:
        pending = [build for build in await list_pending_builds(tx) if build.created_at < began]
        for build in pending:
            failed = replace(build, status=BuildStatus.FAILED, failure=reason, updated_at=clock.now())
            await update_build(tx, failed)
            app = await find_app(tx, build.app_id)
            if app is not None:
                await note(tx, app, failed, "update", now=clock.now(), by=build.user_id, was=build)
    for build in pending:
        await tell(build.app_id, "api", f"Build failed: {reason}", log_writer=log_writer, clock=clock, source="app")
