"""Releases that change nothing but what comes from add-ons: made in the transaction that changes that (decisions/0066).

Whoever changes the config of an add-on, or who has it attached, releases those apps in the same transaction and announces the releases
when it is committed. So no crash leaves an app whose config vars are not those of its newest release.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack
from uuid import UUID

from ..core.account import Account
from ..core.add_on import AddOn, Attachment
from ..store.accounts import find_accounts
from ..store.add_ons import list_attachments
from ..store.apps import find_apps
from ..store.database import Transaction
from .parts import Releasing
from .release import Draft, Made, release_in


async def release_as(tx: Transaction, app_id: UUID, description: str, *, by: Account, **parts: Unpack[Releasing]) -> list[Made]:
    """A release that changes nothing but what comes from add-ons. Raises: NotFound."""
    made = await release_in(tx, app_id, lambda latest: Draft(description, latest.config_vars if latest else {}), by=by, **parts)
    return [made] if made else []


async def release_users(
    tx: Transaction,
    add_on: AddOn,
    what: str,
    *,
    attached: Iterable[Attachment] | None = None,
    ending: str | None = None,
    by: Account | None = None,
    **parts: Unpack[Releasing],
) -> list[Made]:
    """A release of each app that has (or had, when `attached` says so) the add-on attached, as somebody's or as the apps' owners'.

    The description is `what` was done, such as `Update`, the attachments' names, and an `ending`: the add-on unless it says otherwise.
    """
    if attached is None:
        attached = [attachment for attachment, _ in await list_attachments(tx, add_on_id=add_on.id, vault=parts["vault"])]
    names: dict[UUID, set[str]] = {}
    for attachment in attached:
        names.setdefault(attachment.app_id, set()).add(attachment.name)
    apps = await find_apps(tx, set(names))
    owners = await find_accounts(tx, {app.owner_id for app in apps.values()})
    made: list[Made] = []
    for id in sorted(apps):
        description = f"{what} {', '.join(sorted(names[id]))} {ending or f'(@{add_on.name})'}"
        made += await release_as(tx, id, description, by=by or owners[apps[id].owner_id], **parts)
    return made
