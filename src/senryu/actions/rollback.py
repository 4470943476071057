"""Going back to an earlier release: a new release with its code and its config."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

from ..core.account import Account
from ..core.app import App
from ..core.errors import NotFound
from ..core.release import Release, checked_rollback
from ..store.builds import find_slug
from ..store.releases import find_release
from .parts import Releasing
from .release import Draft, release


async def rollback(
    app: App,
    to: UUID | int,
    *,
    by: Account,
    **parts: Unpack[Releasing],
) -> Release:
    """Makes a release like the one with the id or version `to`. Raises: NotFound, Invalid when it cannot be gone back to."""
    vault = parts["vault"]
    async with parts["db"].reading() as tx:
        target = await find_release(tx, app.id, to, vault=vault)
        if target is None:
            raise NotFound(f"Couldn't find that release of {app.name}.", app=app.name)
        checked_rollback(target)
        slug = await find_slug(tx, app.id, target.slug_id) if target.slug_id else None

    def draft(latest: Release | None) -> Draft:
        return Draft(f"Rollback to v{target.version}", target.config_vars, slug, target.process_types, target.commit)

    made = await release(app, draft, by=by, **parts)
    assert made is not None
    return made
