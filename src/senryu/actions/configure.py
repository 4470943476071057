"""Changing config vars. Each change is a release."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.account import Account
from ..core.app import App
from ..core.clock import Clock
from ..core.config_var import change_description, changed
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..core.release import Release
from ..store.database import Database
from ..store.vault import Vault
from .release import Draft, release


async def configure(
    app: App,
    changes: Mapping[str, str | None],
    *,
    by: Account,
    default_size: str,
    db: Database,
    vault: Vault,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> Release | None:
    """Sets and (None) removes config vars; gives the release, or None when nothing differs. Raises: Invalid."""

    def draft(latest: Release | None) -> Draft | None:
        before = latest.config_vars if latest else {}
        after = changed(before, changes)
        description = change_description(before, after)
        return Draft(description, after) if description else None

    return await release(
        app,
        draft,
        by=by,
        default_size=default_size,
        db=db,
        vault=vault,
        log_writer=log_writer,
        supervision=supervision,
        clock=clock,
    )
