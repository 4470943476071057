"""Attaching add-ons to apps and detaching them. Each is a release, in the same transaction, whose dynos have other config vars.

Source: https://devcenter.heroku.com/articles/managing-add-ons#using-attachment-names
"""

from __future__ import annotations

from typing import Unpack
from uuid import uuid4

from ..core.account import Account
from ..core.add_on import AddOn, AddOnService, AddOnState, Attachment, check_free, checked_attachment_name, next_attachment_name
from ..core.app import App
from ..core.database import DEFAULT, CredentialState, namespace
from ..core.errors import Conflict, Invalid, NotFound
from ..store.add_ons import create_attachment, delete_attachments, list_attachments, lock_add_on
from ..store.apps import lock_app
from ..store.credentials import find_credential
from ..store.releases import latest_release
from .note import note
from .parts import Releasing
from .release import announce
from .release_attached import release_as


async def attach(
    app: App,
    add_on: AddOn,
    service: AddOnService,
    *,
    name: str | None,
    credential: str = DEFAULT,
    replaces: bool,
    by: Account,
    **parts: Unpack[Releasing],
) -> Attachment:
    """Attaches an add-on to an app. `replaces` (the owner confirmed) takes the name from another attachment.

    Raises: NotFound without such a credential, Conflict when the name is taken, Invalid for a bad name or an add-on of another app's that
    may not be shared.
    """
    vault, now = parts["vault"], parts["clock"].now()
    if add_on.app_id != app.id and not service.supports_sharing:
        raise Invalid(f"{add_on.name} cannot be shared with other apps.")
    async with parts["db"].transaction() as tx:
        current = await lock_add_on(tx, add_on.id, app_id=app.id, vault=vault)  # its config does not change between
        held = await lock_app(tx, app.id)
        if held is None:
            raise NotFound("Couldn't find that app.")
        if current is None or current.state is AddOnState.DEPROVISIONING:
            raise Conflict(f"{add_on.name} is being destroyed.")
        if credential != DEFAULT:
            found = await find_credential(tx, add_on.id, credential, vault=vault)
            if found.state is not CredentialState.ACTIVE:
                raise Conflict(f"The credential {credential} is {found.state}; try again in a minute.")
        attached = await list_attachments(tx, app_id=app.id, vault=vault)
        latest = await latest_release(tx, app.id, vault=vault)
        taken = [attachment.name for attachment, _ in attached]
        wanted = checked_attachment_name(name) if name else next_attachment_name(service, taken, add_on.id.int)
        former = next((attachment for attachment, _ in attached if attachment.name == wanted), None)
        if former is not None and replaces:
            await delete_attachments(tx, id=former.id)
            await note(tx, held, former, "destroy", now=now, by=by.id)
            attached = [entry for entry in attached if entry[0] is not former]
        check_free(wanted, current, attached, latest.config_vars if latest else {})
        made = Attachment(uuid4(), add_on.id, app.id, wanted, now, now, namespace(credential))
        await create_attachment(tx, made)
        await note(tx, held, made, "create", now=now, by=by.id)
        released = await release_as(tx, app.id, f"Attach {wanted} (@{current.name})", by=by, **parts)
    await announce(*released, **parts)
    return made


async def detach(app: App, attachment: Attachment, add_on: AddOn, *, by: Account, **parts: Unpack[Releasing]) -> None:
    """Takes an attachment away. Raises: Conflict for the last one of the app that pays for the add-on."""
    async with parts["db"].transaction() as tx:
        await lock_add_on(tx, add_on.id, vault=parts["vault"])
        of_add_on = await list_attachments(tx, add_on_id=add_on.id, vault=parts["vault"])
        if all(other.id != attachment.id for other, _ in of_add_on):
            raise NotFound(f"{attachment.name} of {app.name} is detached already.")
        own = [other for other, _ in of_add_on if other.app_id == add_on.app_id and other.id != attachment.id]
        if attachment.app_id == add_on.app_id and not own:
            raise Conflict(f"{attachment.name} is {app.name}'s last attachment of {add_on.name}; destroy the add-on instead.", app=app.name)
        await delete_attachments(tx, id=attachment.id)
        await note(tx, app, attachment, "destroy", now=parts["clock"].now(), by=by.id)
        released = await release_as(tx, attachment.app_id, f"Detach {attachment.name} (@{add_on.name})", by=by, **parts)
    await announce(*released, **parts)
