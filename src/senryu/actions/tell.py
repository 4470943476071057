"""Telling an app's log what happened."""

from __future__ import annotations

from uuid import UUID

import structlog

from ..core.clock import Clock
from ..core.errors import Unavailable
from ..core.log_line import LogLine, LogWriter

_log = structlog.get_logger("tell")


async def tell(app_id: UUID, process: str, *texts: str, log_writer: LogWriter, clock: Clock, source: str = "heroku") -> None:
    """Writes lines such as `heroku[web.1]: State changed from starting to up`, or `app[api]: …` with `source` app.

    Lines that the disk does not take go to the platform's own log: nothing is to stop because it could not be told.
    """
    now = clock.now()
    try:
        await log_writer.write(app_id, [LogLine(now, source, process, text) for text in texts])
    except Unavailable as problem:
        _log.warning("not told", app=str(app_id), process=process, lines=texts, reason=problem.message)
