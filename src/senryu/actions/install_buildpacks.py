"""Choosing an app's buildpacks."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.account import Account
from ..core.app import App
from ..core.buildpack import Buildpack, buildpack
from ..core.clock import Clock
from ..core.errors import Invalid
from ..core.log_line import LogWriter
from ..store.apps import set_buildpacks
from ..store.database import Database
from .tell import tell


async def install_buildpacks(
    app: App, urls: Sequence[str], *, by: Account, db: Database, log_writer: LogWriter, clock: Clock
) -> list[Buildpack]:
    """Replaces the list; none means that the built-in ones detect. Raises: Invalid for an unknown or repeated one."""
    chosen = [buildpack(url) for url in urls]
    for each in chosen:
        if chosen.count(each) > 1:
            raise Invalid(f"The buildpack {each.name} is listed twice; list it once.")
    async with db.transaction() as tx:
        await set_buildpacks(tx, app.id, chosen)
    names = ", ".join(each.name for each in chosen) or "none (they detect)"
    await tell(app.id, "api", f"Set buildpacks to {names} by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return chosen
