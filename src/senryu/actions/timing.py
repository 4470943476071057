"""Where the time of a deploy went."""

from __future__ import annotations

from ..core.clock import Clock
from ..core.dyno import DynoState
from ..core.formation import Supervision
from ..core.release import Release
from ..store.database import Database
from ..store.dynos import list_dynos


async def boot_timing(release: Release, *, db: Database, supervision: Supervision, clock: Clock) -> dict[str, float]:
    """Seconds from a release to its web dynos serving, asked right after they do.

    Gives: `start_s` until the last container ran, `bind_s` until `$PORT` was bound, `route_s` until the router sent visitors
    there. Nothing when no web dyno of the release is up.
    """
    now = clock.now()
    async with db.reading() as tx:
        dynos = await list_dynos(tx, release.app_id)
    up = [dyno for dyno in dynos if dyno.release_id == release.id and dyno.type == "web" and dyno.state is DynoState.UP]
    started = [moment for dyno in up if (moment := supervision.started_at(dyno.id))]
    if not started:
        return {}
    running, bound = max(started), max(dyno.changed_at for dyno in up)
    steps = {"start_s": running - release.created_at, "bind_s": bound - running, "route_s": now - bound}
    return {name: max(0.0, step.total_seconds()) for name, step in steps.items()}
