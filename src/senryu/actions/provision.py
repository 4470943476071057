"""Making add-ons, changing their plans and taking them away. Suppliers' calls may be repeated, so a crash between two lines costs nothing.

Source: https://devcenter.heroku.com/articles/managing-add-ons
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar, Unpack
from uuid import UUID, uuid4

import structlog

from ..core.account import Account
from ..core.add_on import (
    AddOn,
    AddOnState,
    Attachment,
    Given,
    Supplier,
    Suppliers,
    check_free,
    check_may_have,
    checked_add_on_name,
    checked_attachment_name,
    chosen,
    next_attachment_name,
)
from ..core.app import App
from ..core.clock import Clock
from ..core.errors import Conflict, Invalid, NotFound, PlatformError, Unavailable
from ..core.follower import check_stays, followed_anew
from ..core.limits import ACCEPTED_MAX_S, PROVISION_TIMEOUT_S
from ..store.add_ons import (
    create_add_on,
    create_attachment,
    delete_add_on,
    delete_attachments,
    find_add_on,
    list_add_ons,
    list_attachments,
    list_followers,
    lock_add_on,
    lock_add_ons,
    update_add_on,
)
from ..store.apps import find_app, find_apps, lock_app
from ..store.database import Database, Transaction
from ..store.releases import latest_release
from .note import note
from .parts import Releasing
from .release import Made, announce
from .release_attached import release_users

_Answer = TypeVar("_Answer")
_log = structlog.get_logger("add-ons")
following_alone = asyncio.Lock()  # the copy of the server is not taken away while a follower is being made
_making: set[UUID] = set()  # by this process, which is the only one
_removing: set[UUID] = set()  # the same


def _drawn(app: App, supplier: Supplier, plan: str, name: str | None, clock: Clock) -> AddOn:
    id, now = uuid4(), clock.now()
    drawn = checked_add_on_name(name) if name else f"{supplier.service.prefix}-{app.name[:30]}-{10000 + id.int % 90000}"
    service = supplier.service
    return AddOn(id, app.id, drawn, service.name, plan, AddOnState.PROVISIONING, now, now, message=service.message)


async def provision(
    app: App,
    wanted: str,
    *,
    name: str | None = None,
    attached_as: str | None = None,
    options: Mapping[str, str],
    by: Account,
    suppliers: Suppliers,
    follows: UUID | None = None,
    also: Callable[[Transaction, AddOn], Awaitable[None]] | None = None,
    **parts: Unpack[Releasing],
) -> AddOn:
    """Makes an add-on of the plan `service:plan`, attaches it and releases. One whose supplier needs longer is `provisioning`.

    `also` is stored with its row. One that `follows` another is that one's, on another server.

    Raises: Invalid for an unknown plan or option, Conflict when a name is taken, Unavailable when its supplier fails (nothing is left).
    """
    supplier, plan = chosen(suppliers, wanted)
    clock, vault = parts["clock"], parts["vault"]
    add_on = replace(_drawn(app, supplier, plan.slug, name, clock), options=options, follows=follows)
    async with parts["db"].transaction() as tx:
        held = await lock_app(tx, app.id)
        if held is None:
            raise NotFound("Couldn't find that app.")
        check_may_have(app.name, supplier.service, await list_add_ons(tx, app.id, vault=vault))
        attached = await list_attachments(tx, app_id=app.id, vault=vault)
        latest = await latest_release(tx, app.id, vault=vault)
        taken = [attachment.name for attachment, _ in attached]
        chosen_name = checked_attachment_name(attached_as) if attached_as else next_attachment_name(supplier.service, taken, add_on.id.int)
        promised = replace(add_on, config=dict.fromkeys(supplier.service.keys, ""))
        check_free(chosen_name, promised, attached, latest.config_vars if latest else {})
        await create_add_on(tx, add_on, vault=vault)
        first = Attachment(uuid4(), add_on.id, app.id, chosen_name, add_on.created_at, add_on.created_at)
        await create_attachment(tx, first)
        await note(tx, held, add_on, "create", now=add_on.created_at, by=by.id)
        await note(tx, held, first, "create", now=add_on.created_at, by=by.id)
        if also is not None:
            await also(tx, add_on)
    try:
        return await _supplied(add_on, supplier, by=by, **parts)
    except (Invalid, Unavailable):
        with _noted(_removing, add_on.id):
            leaving = await _leaving(add_on, by=by, **parts)
            with suppress(Unavailable):  # it goes with the next round; what is told is why it was not made
                await _taken_away(leaving, supplier, db=parts["db"])
        raise


async def _supplied(add_on: AddOn, supplier: Supplier, *, by: Account | None = None, **parts: Unpack[Releasing]) -> AddOn:
    with _noted(_making, add_on.id):
        return await _asked(add_on, supplier, by=by, **parts)


@contextmanager
def _noted(busy: set[UUID], id: UUID) -> Iterator[None]:
    """For the length of the block somebody is at work on it, and rounds leave it to them."""
    busy.add(id)
    try:
        yield
    finally:
        busy.discard(id)


async def _asked(add_on: AddOn, supplier: Supplier, *, by: Account | None, **parts: Unpack[Releasing]) -> AddOn:
    """As its supplier made it, in one transaction with the releases of those who have it attached: a crash leaves it being made."""
    vault, options = parts["vault"], add_on.options
    if add_on.follows is not None:
        async with parts["db"].reading() as tx:
            leader = await find_add_on(tx, add_on.follows, vault=vault)
        if leader is None or not leader.config:
            raise Invalid(f"What {add_on.name} was to follow is not there any more.")
        options = {**options, "follow": leader.config["URL"]}
    async with following_alone if add_on.follows is not None else nullcontext():
        answer = await in_time(add_on, supplier.provision(add_on.id, supplier.service.plan(add_on.plan), options))
    given = answer if isinstance(answer, Given) else Given(answer, message=supplier.service.message)
    made, released = None, list[Made]()
    async with parts["db"].transaction() as tx:
        held = await lock_add_ons(tx, add_on.id, *([add_on.follows] if add_on.follows else []), vault=vault)
        leader, now = held.get(add_on.follows) if add_on.follows else None, held.get(add_on.id)
        if leader is not None and given.config is not None:  # which may have another password since
            given = replace(given, config={"URL": followed_anew(leader.config["URL"], given.config["URL"])})
        if now is not None and now.state is not AddOnState.DEPROVISIONING:
            made, released = await _made(tx, now, given, by=by, **parts)
        elif now is not None:
            await update_add_on(tx, now := replace(now, provider_id=given.provider_id), vault=vault)
    if made is not None:
        await announce(*released, **parts)
        return made
    if now is not None:  # whoever destroyed it left it to this call, which knows what there is
        await _taken_away(now, supplier, db=parts["db"])
    raise Conflict(f"{add_on.name} was destroyed while it was being made.")


async def _made(tx: Transaction, now: AddOn, given: Given, *, by: Account | None, **parts: Unpack[Releasing]) -> tuple[AddOn, list[Made]]:
    made = _with(now, given, parts["clock"].now())
    await update_add_on(tx, made, vault=parts["vault"])
    await note_add_on(tx, made, "update", was=now)
    is_new = made.state is AddOnState.PROVISIONED and now.state is not made.state
    return made, await release_users(tx, made, "Attach", by=by, **parts) if is_new else []


def _with(add_on: AddOn, given: Given, now: datetime) -> AddOn:
    """As the supplier gave it; not provisioned yet while it has no config."""
    told = replace(add_on, provider_id=given.provider_id or add_on.provider_id, message=given.message or add_on.message, updated_at=now)
    is_told = add_on.state is AddOnState.PROVISIONED  # the supplier said that it is done before it answered
    return told if given.config is None or is_told else replace(told, state=AddOnState.PROVISIONED, config=given.config)


async def in_time(add_on: AddOn, call: Awaitable[_Answer]) -> _Answer:
    """A supplier's answer. Raises: Unavailable when it does not come."""
    try:
        async with asyncio.timeout(PROVISION_TIMEOUT_S):
            return await call
    except TimeoutError:
        raise Unavailable(f"The supplier of {add_on.name} did not answer within {PROVISION_TIMEOUT_S:.0f} s; try again.") from None


async def _leaving(add_on: AddOn, *, by: Account | None = None, **parts: Unpack[Releasing]) -> AddOn:
    """It is nobody's from here on, and goes whatever happens. Who had config vars of it is released without them."""
    vault, released = parts["vault"], list[Made]()
    async with parts["db"].transaction() as tx:
        now = await lock_add_on(tx, add_on.id, vault=vault) or add_on
        leaving = replace(now, state=AddOnState.DEPROVISIONING, updated_at=parts["clock"].now())
        attached = [attachment for attachment, _ in await list_attachments(tx, add_on_id=now.id, vault=vault)]
        await update_add_on(tx, leaving, vault=vault)
        await delete_attachments(tx, add_on_id=now.id)
        if now.state is AddOnState.PROVISIONED:  # so its partner said, before it answered too late
            released = await release_users(tx, leaving, "Detach", attached=attached, by=by, **parts)
    await announce(*released, **parts)
    return leaving


async def _taken_away(add_on: AddOn, supplier: Supplier, *, db: Database) -> None:
    """The resource first: its row is how it is found again. Raises: Unavailable."""
    await in_time(add_on, supplier.deprovision(add_on.id))
    async with db.transaction() as tx:
        await delete_add_on(tx, add_on.id)
        await note_add_on(tx, add_on, "destroy")


async def note_add_on(tx: Transaction, add_on: AddOn, action: str, *, was: AddOn | None = None) -> None:
    """For the webhooks of the app that pays."""
    app = await find_app(tx, add_on.app_id)
    if app is not None:
        await note(tx, app, add_on, action, now=add_on.updated_at, was=was)


async def deprovision(app: App, add_on: AddOn, *, by: Account, suppliers: Suppliers, force: bool, **parts: Unpack[Releasing]) -> AddOn:
    """Detaches it everywhere, releases each app that had it, takes the resource away.

    Raises: Conflict while other apps have it attached or others follow it, unless `force`, which destroys followers too; Unavailable when
    its supplier fails, which is asked again later.
    """
    await _without_followers(add_on, by=by, suppliers=suppliers, force=force, **parts)
    with _noted(_removing, add_on.id):
        return await _deprovisioned(app, add_on, by=by, supplier=suppliers[add_on.service], force=force, **parts)


async def _deprovisioned(app: App, add_on: AddOn, *, by: Account, supplier: Supplier, force: bool, **parts: Unpack[Releasing]) -> AddOn:
    vault = parts["vault"]
    async with parts["db"].transaction() as tx:
        now = await lock_add_on(tx, add_on.id, vault=vault) or add_on
        attached = await list_attachments(tx, add_on_id=add_on.id, vault=vault)
        others = [attachment for attachment, _ in attached if attachment.app_id != add_on.app_id]
        if others and not force:
            raise Conflict(f"{add_on.name} is attached to {len(others)} other app(s); detach it there first, or use --force.")
        leaving = replace(now, state=AddOnState.DEPROVISIONING, updated_at=parts["clock"].now())
        await update_add_on(tx, leaving, vault=vault)
        await delete_attachments(tx, add_on_id=add_on.id)
        await note_add_on(tx, leaving, "update", was=now)
        users = await find_apps(tx, {attachment.app_id for attachment, _ in attached})
        for attachment, _ in attached:
            await note(tx, users[attachment.app_id], attachment, "destroy", now=leaving.updated_at, by=by.id)
        released = await release_users(tx, leaving, "Detach", attached=[attachment for attachment, _ in attached], by=by, **parts)
    await announce(*released, **parts)
    if add_on.id in _making:
        return leaving  # it goes once its supplier has answered
    await _taken_away(leaving, supplier, db=parts["db"])
    return replace(leaving, state=AddOnState.DEPROVISIONED)


async def _without_followers(leader: AddOn, *, by: Account, suppliers: Suppliers, force: bool, **parts: Unpack[Releasing]) -> None:
    async with parts["db"].reading() as tx:
        followers = await list_followers(tx, leader.id, vault=parts["vault"])
        apps = await find_apps(tx, {follower.app_id for follower in followers})
    if not force:
        check_stays(leader, followers)
    for follower in followers:
        if follower.app_id in apps:
            await deprovision(apps[follower.app_id], follower, by=by, suppliers=suppliers, force=True, **parts)


async def finish_add_ons(*, suppliers: Suppliers, began: datetime | None = None, **parts: Unpack[Releasing]) -> None:
    """Goes on with what a crash interrupted: half-made add-ons are made, leaving ones go. One that fails waits for the next round.

    Takes: `began`, when this process did; what was begun before it is nobody's work any more.
    """
    db, vault = parts["db"], parts["vault"]
    async with db.reading() as tx:
        half = await list_add_ons(tx, vault=vault, state=AddOnState.PROVISIONING)
        leaving = await list_add_ons(tx, vault=vault, state=AddOnState.DEPROVISIONING)
    now = parts["clock"].now()
    for add_on in [*half, *leaving]:
        supplier = suppliers.get(add_on.service)
        if supplier is None or not _is_due(add_on, now, began):
            continue
        try:
            if add_on.state is AddOnState.DEPROVISIONING:
                await _taken_away(add_on, supplier, db=db)
            elif add_on.provider_id is not None:
                await _leaving(add_on, **parts)
            else:
                await _made_after_all(add_on, supplier, **parts)
        except PlatformError as problem:
            _log.warning("add-on waits", add_on=add_on.name, state=add_on.state, reason=problem.message)


def _is_due(add_on: AddOn, now: datetime, began: datetime | None) -> bool:
    """Whether nobody is at work on it any more; one that its supplier accepted has long to come."""
    if add_on.state is AddOnState.DEPROVISIONING:
        return add_on.id not in _making | _removing
    if began is not None and add_on.updated_at < began and add_on.provider_id is None:
        return True
    if add_on.follows is not None:
        return add_on.id not in _making  # the copy of the server was not there yet
    return add_on.created_at < now - timedelta(seconds=2 * PROVISION_TIMEOUT_S if add_on.provider_id is None else ACCEPTED_MAX_S)


async def _made_after_all(add_on: AddOn, supplier: Supplier, **parts: Unpack[Releasing]) -> None:
    try:
        await _supplied(add_on, supplier, **parts)
    except Invalid:
        await _leaving(add_on, **parts)
        raise
