"""Keeps buckets within their plans: the router is told how much each may still take, and refuses uploads of more."""

from __future__ import annotations

import structlog

from ..core.clock import Clock
from ..core.errors import PlatformError
from ..core.limits import OBJECTS_ROUND_S
from ..core.object_store import ObjectServer, rooms
from ..core.route import Router

_log = structlog.get_logger("objects")


async def keep_quotas(*, server: ObjectServer, router: Router) -> None:
    """One look. Raises: Unavailable."""
    await router.set_rooms(rooms(await server.bucket_uses()))


async def keep_all_quotas(*, server: ObjectServer, router: Router, clock: Clock) -> None:
    """Looks for ever. A problem that stays is told once."""
    told = ""
    while True:
        try:
            await keep_quotas(server=server, router=router)
            told = ""
        except PlatformError as problem:
            if problem.message != told:
                _log.warning("quotas of buckets not kept", reason=problem.message)
            told = problem.message
        await clock.sleep(OBJECTS_ROUND_S)
