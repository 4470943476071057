"""Changing config vars. Each change is a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from ..core.account import Account
from ..core.app import App
from ..core.config_var import change_description, changed
from ..core.release import Release
from .parts import Releasing
from .release import Draft, release


async def configure(
    app: App,
    changes: Mapping[str, str | None],
    *,
    by: Account,
    **parts: Unpack[Releasing],
) -> Release | None:
    """Sets and (None) removes config vars; gives the release, or None when nothing differs. Raises: Invalid."""

    def draft(latest: Release | None) -> Draft | None:
        before = latest.config_vars if latest else {}
        after = changed(before, changes)
        description = change_description(before, after)
        return Draft(description, after) if description else None

    return await release(app, draft, by=by, **parts)
