"""Releases that a crash kept from following an attachment or its end: without them dynos would run on with the config vars of before."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack
from uuid import UUID

from ..core.add_on import AddOnState
from ..store.accounts import find_accounts
from ..store.add_ons import list_add_ons, list_attachments
from ..store.apps import find_apps
from ..store.releases import latest_release
from .attach import release_as
from .parts import Releasing


async def release_attached(*, before: datetime, **parts: Unpack[Releasing]) -> None:
    """Releases apps to which add-ons came, or whose own left, after their latest release and `before` this process began."""
    db, vault = parts["db"], parts["vault"]
    changes: dict[UUID, tuple[datetime, str]] = {}

    def note(app_id: UUID, at: datetime, description: str) -> None:
        if at < before and (app_id not in changes or at > changes[app_id][0]):
            changes[app_id] = at, description

    async with db.reading() as tx:
        for attachment, add_on in await list_attachments(tx, vault=vault):
            if add_on.config:
                note(attachment.app_id, attachment.created_at, f"Attach {attachment.name} (@{add_on.name})")
        for leaving in await list_add_ons(tx, vault=vault, state=AddOnState.DEPROVISIONING):
            note(leaving.app_id, leaving.updated_at, f"Detach @{leaving.name}")
        apps = await find_apps(tx, set(changes))
        releases = {id: await latest_release(tx, id, vault=vault) for id in apps}
        owners = await find_accounts(tx, {app.owner_id for app in apps.values()})
    for id, app in apps.items():
        at, description = changes[id]
        latest = releases[id]
        if latest is None or latest.created_at < at:
            await release_as(app, description, by=owners[app.owner_id], **parts)
