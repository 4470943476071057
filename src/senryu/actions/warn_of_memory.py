"""R14: a dyno that uses more memory than its size has.

Source: https://devcenter.heroku.com/articles/error-codes#r14-memory-quota-exceeded
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core import codes, limits
from ..core.clock import Clock
from ..core.dyno import DynoKind, ObservedDyno
from ..core.log_line import LogWriter
from ..store.database import Database
from ..store.dyno_sizes import list_sizes
from ..store.dynos import find_dyno
from .tell import tell


async def warn_of_memory(observed: Sequence[ObservedDyno], *, db: Database, log_writer: LogWriter, clock: Clock) -> None:
    """Tells the apps of dynos above their quota; called at every sweep, as Heroku repeats it."""
    for seen in observed:
        if not seen.is_running or seen.memory_bytes == 0 or seen.kind is DynoKind.BUILD:
            continue
        async with db.reading() as tx:
            dyno, sizes = await find_dyno(tx, seen.id), await list_sizes(tx)
        if dyno is None:
            continue
        share = seen.memory_bytes / sizes.known(dyno.size).memory_bytes
        if share > limits.MEMORY_WARN_RATIO:
            used = f"Process running mem={seen.memory_bytes // limits.MIB}M({share:.1%})"
            await tell(seen.app_id, seen.name, used, codes.R14, log_writer=log_writer, clock=clock)
