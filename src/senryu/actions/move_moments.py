"""When the machine's clock was set: the moments of dynos' records move along, so that nothing is cycled, killed or held back for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from ..core.clock import SteadyClock, shift
from ..core.dyno import Dyno
from ..store.database import Database
from ..store.dynos import set_dyno

_PASSED = ("created_at", "changed_at", "drained_at", "stopped_at", "killed_at", "ended_at")
_log = structlog.get_logger("supervise")


def moved(dyno: Dyno, steady: SteadyClock) -> Dyno:
    """The record as `steady` would have written it; itself when that is what it is."""
    passed = {name: moment for name in _PASSED if isinstance(moment := getattr(dyno, name), datetime)}
    by = shift(dyno.clock, max(passed.values()), steady.stamp, steady.now())
    if by is None:
        return dyno
    moments: dict[str, Any] = {name: moment + by for name, moment in passed.items()}
    return replace(dyno, **moments, expires_at=dyno.expires_at and dyno.expires_at + by, clock=steady.stamp)


async def move_moments(dynos: Sequence[Dyno], steady: SteadyClock, *, db: Database) -> list[Dyno]:
    """Stores and gives the records as `steady` would have written them."""
    right = [moved(dyno, steady) for dyno in dynos]
    changed = [(old, new) for old, new in zip(dynos, right, strict=True) if old is not new]
    if changed:
        async with db.transaction() as tx:
            for _, new in changed:
                moments = {name: getattr(new, name) for name in (*_PASSED, "expires_at", "clock")}
                await set_dyno(tx, new.id, **moments)
    jumps = {by for old, new in changed if (by := new.created_at - old.created_at)}
    if jumps:
        by = max(jumps, key=abs)
        _log.warning("the clock was set; dynos' ages are kept", by_s=by / timedelta(seconds=1), app=str(dynos[0].app_id))
    return right
