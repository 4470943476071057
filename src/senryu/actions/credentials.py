"""Making, rotating and taking away credentials of databases.

The row comes first, with the new password; the server, whose calls may be repeated, second. What a crash leaves is gone on with.

Source: https://devcenter.heroku.com/articles/heroku-postgresql-credentials
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Unpack
from uuid import uuid4

import structlog

from ..core.account import Account
from ..core.add_on import AddOn, AddOnState, Plan, Suppliers
from ..core.database import DEFAULT, Credential, CredentialState, Databases, checked_credential_name, credential_in
from ..core.errors import Conflict, Invalid, PlatformError
from ..core.limits import CREDENTIALS_MAX
from ..store.accounts import find_accounts
from ..store.add_ons import find_add_on, list_attachments, lock_add_on, update_add_on
from ..store.apps import find_apps
from ..store.credentials import create_credential, delete_credential, find_credential, list_credentials, update_credential
from .follow_database import lead_followers
from .parts import Releasing
from .release import Made, announce
from .release_attached import release_users

_log = structlog.get_logger("credentials")


def _password() -> str:
    return f"p{secrets.token_hex(32)}"


def check_has_credentials(plan: Plan) -> None:
    """Raises: Invalid for a plan that has only the default one."""
    if plan.slug.startswith("essential"):
        raise Invalid(f"{plan.name} has its default credential only; change to a standard plan for others.")


async def make_credential(add_on: AddOn, plan: Plan, name: str, *, databases: Databases, **parts: Unpack[Releasing]) -> Credential:
    """One that may connect and nothing else. Raises: Invalid, Conflict when there is one of that name, Unavailable (it is made later)."""
    check_has_credentials(plan)
    checked_credential_name(name)
    now = parts["clock"].now()
    made = Credential(uuid4(), add_on.id, name, CredentialState.CREATING, now, now, password=_password())
    async with parts["db"].transaction() as tx:
        if len(await list_credentials(tx, add_on.id, vault=parts["vault"])) >= CREDENTIALS_MAX:
            raise Conflict(f"{add_on.name} has {CREDENTIALS_MAX} credentials; destroy one first.")
        await create_credential(tx, made, vault=parts["vault"])
    return await _given(made, add_on, plan, by=None, databases=databases, **parts)


async def rotate_credential(add_on: AddOn, plan: Plan, name: str, *, by: Account, databases: Databases, **parts: Unpack[Releasing]) -> None:
    """Another password; its apps restart, its connections end. Raises: NotFound, Conflict while it is being changed, Unavailable."""
    vault, now = parts["vault"], parts["clock"].now()
    async with parts["db"].transaction() as tx:
        if name == DEFAULT:
            turning = Credential(uuid4(), add_on.id, name, CredentialState.ROTATING, now, now, password=_password())
            await create_credential(tx, turning, vault=vault)
        else:
            found = await find_credential(tx, add_on.id, name, vault=vault)
            if found.state is not CredentialState.ACTIVE:
                raise Conflict(f"The credential {name} is {found.state}; try again in a minute.")
            turning = replace(found, state=CredentialState.ROTATING, password=_password(), updated_at=now)
            await update_credential(tx, turning, vault=vault)
    await _rotated(turning, add_on, plan, by=by, databases=databases, **parts)


async def drop_credential(add_on: AddOn, name: str, *, databases: Databases, **parts: Unpack[Releasing]) -> None:
    """Raises: NotFound, Conflict while an app is attached by it, Unavailable (it goes later)."""
    vault = parts["vault"]
    async with parts["db"].transaction() as tx:
        found = await find_credential(tx, add_on.id, name, vault=vault)
        attached = await list_attachments(tx, add_on_id=add_on.id, vault=vault)
        if any(credential_in(attachment.namespace) == name for attachment, _ in attached):
            raise Conflict(f"Apps are attached by the credential {name}; detach it first.")
        leaving = replace(found, state=CredentialState.LEAVING, updated_at=parts["clock"].now())
        await update_credential(tx, leaving, vault=vault)
    await _dropped(leaving, databases=databases, **parts)


async def _given(
    credential: Credential, add_on: AddOn, plan: Plan, *, by: Account | None, databases: Databases, **parts: Unpack[Releasing]
) -> Credential:
    """The server has the password; from here on apps have it, released in the transaction that stores it, once however often this is."""
    config = await databases.set_credential(add_on.id, plan, credential.name, credential.password)
    vault, now = parts["vault"], parts["clock"].now()
    given = replace(credential, config=config, updated_at=now)
    if credential.state is not CredentialState.ROTATING:
        given = _settled(given)
    released: list[Made] = []
    async with parts["db"].transaction() as tx:
        found = await lock_add_on(tx, add_on.id, vault=vault)
        attached = [a for a, _ in await list_attachments(tx, add_on_id=add_on.id, vault=vault) if credential_in(a.namespace) == given.name]
        await update_credential(tx, given, vault=vault)
        if found is not None and credential.name == DEFAULT:
            leading = replace(found, config={**found.config, **config}, updated_at=now)
            if leading.config != found.config:
                await update_add_on(tx, leading, vault=vault)
                released = await release_users(tx, leading, "Update", attached=attached, ending=f"by {add_on.service}", by=by, **parts)
                released += await lead_followers(tx, leading, by=by, **parts)
        elif found is not None and config != credential.config:
            released = await release_users(tx, found, "Update", attached=attached, ending=f"by {add_on.service}", by=by, **parts)
    await announce(*released, **parts)
    return given


def _settled(credential: Credential) -> Credential:
    return replace(credential, state=CredentialState.ACTIVE, password="")


async def _rotated(
    credential: Credential, add_on: AddOn, plan: Plan, *, by: Account, databases: Databases, **parts: Unpack[Releasing]
) -> None:
    given = await _given(credential, add_on, plan, by=by, databases=databases, **parts)
    await databases.end_connections(add_on.id, given.name)
    async with parts["db"].transaction() as tx:
        if given.name == DEFAULT:
            await delete_credential(tx, given.id)
        else:
            await update_credential(tx, _settled(given), vault=parts["vault"])


async def _dropped(credential: Credential, *, databases: Databases, **parts: Unpack[Releasing]) -> None:
    await databases.drop_credential(credential.add_on_id, credential.name)
    async with parts["db"].transaction() as tx:
        await delete_credential(tx, credential.id)


async def finish_credentials(*, databases: Databases, suppliers: Suppliers, older_s: float, **parts: Unpack[Releasing]) -> None:
    """Goes on with what a crash interrupted and has stood still for `older_s`. One that fails waits for the next round."""
    now = parts["clock"].now()
    async with parts["db"].reading() as tx:
        half = [each for each in await list_credentials(tx, vault=parts["vault"]) if each.state is not CredentialState.ACTIVE]
    for credential in half:
        if (now - credential.updated_at).total_seconds() < older_s:
            continue
        try:
            await _gone_on(credential, databases=databases, suppliers=suppliers, **parts)
        except PlatformError as problem:
            _log.warning("credential waits", credential=credential.name, state=credential.state, reason=problem.message)


async def _gone_on(credential: Credential, *, databases: Databases, suppliers: Suppliers, **parts: Unpack[Releasing]) -> None:
    async with parts["db"].reading() as tx:
        add_on = await find_add_on(tx, credential.add_on_id, vault=parts["vault"])
        app = (await find_apps(tx, {add_on.app_id})).get(add_on.app_id) if add_on else None
        owner = (await find_accounts(tx, {app.owner_id}))[app.owner_id] if app else None
    if add_on is None or owner is None or add_on.state is not AddOnState.PROVISIONED:
        return  # its row goes with the add-on's
    plan = suppliers[add_on.service].service.plan(add_on.plan)
    match credential.state:
        case CredentialState.LEAVING:
            await _dropped(credential, databases=databases, **parts)
        case CredentialState.ROTATING:
            await _rotated(credential, add_on, plan, by=owner, databases=databases, **parts)
        case _:
            await _given(credential, add_on, plan, by=owner, databases=databases, **parts)
