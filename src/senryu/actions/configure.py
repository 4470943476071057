"""Changing config vars. Each change is a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from ..core.account import Account
from ..core.add_on import check_not_attached
from ..core.app import App
from ..core.config_var import change_description, changed
from ..core.release import Release
from ..store.add_ons import attached_variables
from .parts import Releasing
from .release import Draft, release


async def configure(
    app: App,
    changes: Mapping[str, str | None],
    *,
    by: Account,
    **parts: Unpack[Releasing],
) -> Release | None:
    """Sets and (None) removes config vars; gives the release, or None when nothing differs. Raises: Invalid, also for those of add-ons."""
    async with parts["db"].reading() as tx:
        check_not_attached(changes, await attached_variables(tx, app.id, vault=parts["vault"]))

    def draft(latest: Release | None) -> Draft | None:
        before = latest.config_vars if latest else {}
        after = changed(before, changes)
        description = change_description(before, after)
        return Draft(description, after) if description else None

    return await release(app, draft, by=by, **parts)
