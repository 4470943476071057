"""What is put right once, when the platform starts: work that a crash cut off and nobody goes on with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from ..core.build import BuildStatus
from ..core.clock import Clock
from ..core.errors import Unavailable
from ..core.log_line import LogWriter
from ..store.apps import find_app
from ..store.builds import list_pending_builds, update_build
from ..store.database import Database
from ..store.usage import end_with_machine
from .note import note
from .tell import tell

_AGAIN_S = 5.0


async def recover(*, db: Database, log_writer: LogWriter, clock: Clock, began: datetime | None = None) -> None:
    """Marks interrupted builds failed, so that the next push of their apps can build; ends what the machine's own end ended.

    Takes: `began`, when this process did; later builds are its own. Raises: Unavailable while the disk is full.
    """
    reason = "The build was interrupted by a restart of the platform; push again."
    async with db.transaction() as tx:
        await end_with_machine(tx, clock.boot())
        pending = [build for build in await list_pending_builds(tx) if began is None or build.created_at < began]
        for build in pending:
            failed = replace(build, status=BuildStatus.FAILED, failure=reason, updated_at=clock.now())
            await update_build(tx, failed)
            app = await find_app(tx, build.app_id)
            if app is not None:
                await note(tx, app, failed, "update", now=clock.now(), by=build.user_id, was=build)
    for build in pending:
        await tell(build.app_id, "api", f"Build failed: {reason}", log_writer=log_writer, clock=clock, source="app")


async def recover_once_there_is_room(*, db: Database, log_writer: LogWriter, clock: Clock, began: datetime) -> None:
    """What `recover` could not write at the start, which a full disk does not keep from happening."""
    while True:
        await asyncio.sleep(_AGAIN_S)
        try:
            return await recover(db=db, log_writer=log_writer, clock=clock, began=began)
        except Unavailable:
            continue
