"""Add-ons and their attachments. What suppliers gave holds credentials and is sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, or_, select, update

from ..core.add_on import AddOn, AddOnState, Attachment, all_variables
from ..core.database import DEFAULT, credential_in
from .add_on_tables import add_on_attachments, add_ons
from .apps import lock_apps
from .credentials import list_credentials
from .database import Transaction
from .rows import columns, noun
from .usage import end_usage, meter_add_on
from .vault import Vault


def _columns(add_on: AddOn, vault: Vault) -> dict[str, Any]:
    sealed = {"sealed_config": vault.seal(dict(add_on.config)), "sealed_options": vault.seal(dict(add_on.options))}
    return {**columns(add_on, "config", "options"), **sealed}


def _add_on(row: Any, vault: Vault) -> AddOn:
    return noun(AddOn, row, state=AddOnState(row["state"]), config=vault.open(row["sealed_config"]), options=_options(row, vault))


def _options(row: Any, vault: Vault) -> dict[str, str]:
    return vault.open(row["sealed_options"]) if row["sealed_options"] is not None else {}


async def create_add_on(tx: Transaction, add_on: AddOn, *, vault: Vault) -> None:
    """Stores an add-on. Raises: Conflict when the name is taken."""
    await tx.execute(insert(add_ons).values(_columns(add_on, vault)))


async def update_add_on(tx: Transaction, add_on: AddOn, *, vault: Vault) -> None:
    """Stores what changed; what it costs is metered by it. Raises: Conflict when the new name is taken."""
    await tx.execute(update(add_ons).where(add_ons.c.id == add_on.id).values(_columns(add_on, vault)))
    await meter_add_on(tx, add_on)


async def delete_add_on(tx: Transaction, id: UUID) -> None:
    """Takes the row away, its attachments with it."""
    await tx.execute(delete(add_ons).where(add_ons.c.id == id))


async def find_add_on(tx: Transaction, key: UUID | str, *, vault: Vault) -> AddOn | None:
    """By id or name."""
    where = add_ons.c.id == key if isinstance(key, UUID) else add_ons.c.name == key
    row = (await tx.execute(select(add_ons).where(where))).mappings().first()
    return _add_on(row, vault) if row else None


async def lock_add_on(tx: Transaction, id: UUID, *, app_id: UUID | None = None, vault: Vault) -> AddOn | None:
    """The add-on, locked as `lock_add_ons` does."""
    return (await lock_add_ons(tx, id, app_id=app_id, vault=vault)).get(id)


async def lock_add_ons(
    tx: Transaction, *ids: UUID, of_app: UUID | None = None, app_id: UUID | None = None, vault: Vault
) -> dict[UUID, AddOn]:
    """Add-ons, or all of an app, and what follows them, with every other change of them and of all apps that have them waiting until
    this transaction ends; of an app that is to have one, too (`app_id`). Before anything else is written: this is the one order
    (decisions/0106).
    """
    wanted = select(add_ons.c.id).where(add_ons.c.app_id == of_app) if of_app else ids
    query = select(add_ons).where(or_(add_ons.c.id.in_(wanted), add_ons.c.follows.in_(wanted)))
    rows = (await tx.execute(query.order_by(add_ons.c.follows.is_not(None), add_ons.c.id).with_for_update())).mappings()
    found = {row["id"]: _add_on(row, vault) for row in rows}
    users = (await tx.execute(select(add_on_attachments.c.app_id).where(add_on_attachments.c.add_on_id.in_(list(found))))).scalars()
    await lock_apps(tx, {*users, *(each.app_id for each in found.values()), *([app_id] if app_id else [])})
    return found


async def list_add_ons(tx: Transaction, app_id: UUID | None = None, *, vault: Vault, state: AddOnState | None = None) -> list[AddOn]:
    """The add-ons an app pays for, or all; of one state, or any; by name."""
    query = select(add_ons).order_by(add_ons.c.name)
    if app_id is not None:
        query = query.where(add_ons.c.app_id == app_id)
    if state is not None:
        query = query.where(add_ons.c.state == state.value)
    return [_add_on(row, vault) for row in (await tx.execute(query)).mappings()]


async def list_followers(tx: Transaction, leader: UUID | None = None, *, vault: Vault) -> list[AddOn]:
    """Databases that follow one, or any; those that are going too. By name."""
    query = select(add_ons).order_by(add_ons.c.name)
    query = query.where(add_ons.c.follows.is_not(None) if leader is None else add_ons.c.follows == leader)
    return [_add_on(row, vault) for row in (await tx.execute(query)).mappings()]


async def leave_add_ons(tx: Transaction, app_id: UUID, now: datetime, *, vault: Vault) -> list[tuple[Attachment, AddOn]]:
    """All add-ons of an app that is being destroyed are to be taken away by their suppliers, and what follows them.

    Gives: the attachments of other apps that go with them.
    """
    own = select(add_ons.c.id).where(add_ons.c.app_id == app_id)
    going = list((await tx.execute(select(add_ons.c.id).where(or_(add_ons.c.app_id == app_id, add_ons.c.follows.in_(own))))).scalars())
    lost = [entry for id in going for entry in await list_attachments(tx, add_on_id=id, vault=vault) if entry[0].app_id != app_id]
    await tx.execute(update(add_ons).where(add_ons.c.id.in_(going)).values(state=AddOnState.DEPROVISIONING.value, updated_at=now))
    await tx.execute(delete(add_on_attachments).where(add_on_attachments.c.add_on_id.in_(going)))
    for id in going:
        await end_usage(tx, id, now)
    return lost


async def create_attachment(tx: Transaction, attachment: Attachment) -> None:
    """Stores an attachment. Raises: Conflict when the app has one of that name."""
    await tx.execute(insert(add_on_attachments).values(columns(attachment)))


async def delete_attachments(tx: Transaction, *, id: UUID | None = None, add_on_id: UUID | None = None, app_id: UUID | None = None) -> None:
    """Takes away one attachment, or all of an add-on, or all of an app."""
    c = add_on_attachments.c
    wanted = [column == value for column, value in ((c.id, id), (c.add_on_id, add_on_id), (c.app_id, app_id)) if value is not None]
    if wanted:
        await tx.execute(delete(add_on_attachments).where(or_(*wanted)))


async def list_attachments(
    tx: Transaction, *, app_id: UUID | None = None, add_on_id: UUID | None = None, vault: Vault
) -> list[tuple[Attachment, AddOn]]:
    """Attachments with what they attach, its config that of the attachment's credential: of an app, of an add-on, or all; oldest first."""
    query = select(add_on_attachments).order_by(add_on_attachments.c.created_at, add_on_attachments.c.name)
    if app_id is not None:
        query = query.where(add_on_attachments.c.app_id == app_id)
    if add_on_id is not None:
        query = query.where(add_on_attachments.c.add_on_id == add_on_id)
    found = [noun(Attachment, row) for row in (await tx.execute(query)).mappings()]
    ids = {attachment.add_on_id for attachment in found}
    rows = (await tx.execute(select(add_ons).where(add_ons.c.id.in_(ids)))).mappings() if ids else ()
    by_id = {row["id"]: _add_on(row, vault) for row in rows}
    entries = [(attachment, by_id[attachment.add_on_id]) for attachment in found]
    return await _with_credentials(tx, entries, vault) if any(attachment.namespace for attachment in found) else entries


async def _with_credentials(tx: Transaction, entries: list[tuple[Attachment, AddOn]], vault: Vault) -> list[tuple[Attachment, AddOn]]:
    """An attachment by a credential of its own has that credential's config."""
    kept = {(each.add_on_id, each.name): each.config for each in await list_credentials(tx, vault=vault)}
    shown = []
    for attachment, add_on in entries:
        name = credential_in(attachment.namespace)
        shown.append((attachment, add_on if name == DEFAULT else replace(add_on, config=kept.get((add_on.id, name), {}))))
    return shown


async def attached_variables(tx: Transaction, app_id: UUID, *, vault: Vault) -> dict[str, str]:
    """The config vars that an app has from its add-ons."""
    return all_variables(await list_attachments(tx, app_id=app_id, vault=vault))
