"""New credentials for a key-value store: no app is locked out between, whatever is killed when.

The server lets the new password in beside the old; then the new URL is stored with a mark and apps are released with it, at once; the
old password goes, the mark too. A mark that a crash left is gone on with.

Source: https://devcenter.heroku.com/articles/heroku-redis (credentials --reset)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack
from uuid import UUID

import structlog

from ..core.account import Account
from ..core.add_on import AddOn, AddOnState
from ..core.errors import Conflict, PlatformError
from ..core.key_value_store import SERVICE, KeyValueStores
from ..store.add_ons import find_add_on, list_add_ons, lock_add_on, update_add_on
from ..store.database import Database
from ..store.vault import Vault
from .parts import Releasing
from .release import Made, announce
from .release_attached import release_users

RESETTING = "Its credentials are being reset."
_log = structlog.get_logger("add-ons")
_under_way: set[UUID] = set()  # of this process, which is the only one


async def reset_credentials(add_on: AddOn, *, by: Account, stores: KeyValueStores, **parts: Unpack[Releasing]) -> None:
    """Gives the store another password and releases every app that has it attached.

    Raises: Conflict while another reset is under way or the store is not provisioned, Unavailable.
    """
    if add_on.id in _under_way:
        raise Conflict(f"The credentials of {add_on.name} are being reset already; wait for that.")
    _under_way.add(add_on.id)
    try:
        now = await _current(add_on.id, db=parts["db"], vault=parts["vault"])
        config = await stores.admit(now.id, now.config["URL"])
        marked = replace(now, config=config, message=RESETTING, updated_at=parts["clock"].now())
        await _stored(marked, by=by, **parts)
        await _finish(marked, stores=stores, **parts)
    finally:
        _under_way.discard(add_on.id)


async def finish_resets(*, stores: KeyValueStores, **parts: Unpack[Releasing]) -> None:
    """Goes on with those that a crash interrupted. One that fails waits for the next round."""
    async with parts["db"].reading() as tx:
        half = [each for each in await list_add_ons(tx, vault=parts["vault"], state=AddOnState.PROVISIONED) if _is_half(each)]
    for add_on in half:
        if add_on.id in _under_way:
            continue
        try:
            await _finish(add_on, stores=stores, **parts)
        except PlatformError as problem:
            _log.warning("credentials wait to be reset", add_on=add_on.name, reason=problem.message)


def _is_half(add_on: AddOn) -> bool:
    return add_on.service == SERVICE and add_on.message == RESETTING


async def _finish(marked: AddOn, *, stores: KeyValueStores, **parts: Unpack[Releasing]) -> None:
    await stores.dismiss(marked.id, marked.config["URL"])
    now = await _current(marked.id, db=parts["db"], vault=parts["vault"])
    await _stored(replace(now, message=None), **parts)


async def _current(id: UUID, *, db: Database, vault: Vault) -> AddOn:
    async with db.reading() as tx:
        now = await find_add_on(tx, id, vault=vault)
    if now is None or now.state is not AddOnState.PROVISIONED:
        raise Conflict("This store is not provisioned; `senryu addons` shows its state.")
    return now


async def _stored(add_on: AddOn, *, by: Account | None = None, **parts: Unpack[Releasing]) -> None:
    """Apps get another config in the transaction that stores it."""
    vault, released = parts["vault"], list[Made]()
    async with parts["db"].transaction() as tx:
        now = await lock_add_on(tx, add_on.id, vault=vault)
        if now is None or now.state is not AddOnState.PROVISIONED:
            raise Conflict(f"{add_on.name} was destroyed meanwhile.")
        changed = replace(now, config=add_on.config, message=add_on.message, updated_at=add_on.updated_at)
        await update_add_on(tx, changed, vault=vault)
        if changed.config != now.config:
            released = await release_users(tx, changed, "Update", by=by, **parts)
    await announce(*released, **parts)
