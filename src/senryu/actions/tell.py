"""Telling an app's log what happened."""

from __future__ import annotations

from uuid import UUID

from ..core.clock import Clock
from ..core.log_line import LogLine, LogWriter


async def tell(app_id: UUID, process: str, *texts: str, log_writer: LogWriter, clock: Clock, source: str = "heroku") -> None:
    """Writes lines such as `heroku[web.1]: State changed from starting to up`, or `app[api]: …` with `source` app."""
    now = clock.now()
    await log_writer.write(app_id, [LogLine(now, source, process, text) for text in texts])
