"""Another plan or name for an add-on that is there.

A new plan is noted before its supplier hears of it, and taken with what the supplier answers, the releases of those who have it attached
in the same transaction: what a crash leaves between is gone on with (decisions/0066).

Source: https://devcenter.heroku.com/articles/managing-add-ons#upgrading-an-add-on
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Unpack
from uuid import UUID

import structlog

from ..core.account import Account
from ..core.add_on import AddOn, AddOnState, Given, Plan, Supplier, Suppliers, checked_add_on_name, chosen
from ..core.errors import Conflict, Invalid, PlatformError, Unavailable
from ..core.follower import check_can_follow, check_is_own
from ..store.add_ons import list_add_ons, list_followers, lock_add_on, update_add_on
from ..store.database import Transaction
from .parts import Releasing
from .provision import in_time, note_add_on
from .release import Made, announce
from .release_attached import release_users

_log = structlog.get_logger("add-ons")
_changing: set[UUID] = set()  # by this process, which is the only one


async def change_plan(add_on: AddOn, wanted: str, *, by: Account, suppliers: Suppliers, **parts: Unpack[Releasing]) -> AddOn:
    """Another plan of the same service; apps are released when their config vars change with it.

    Raises: Invalid, Unavailable, Conflict when the add-on is going, or its plan is being changed.
    """
    supplier, plan = chosen(suppliers, wanted)
    if supplier.service.name != add_on.service:
        raise Invalid(f"{add_on.name} is of {add_on.service}; it cannot become one of {supplier.service.name}.")
    check_is_own(add_on)
    if add_on.id in _changing:
        raise Conflict(f"The plan of {add_on.name} is being changed already; wait for that.")
    _changing.add(add_on.id)
    try:
        async with parts["db"].transaction() as tx:
            for follower in await list_followers(tx, add_on.id, vault=parts["vault"]):
                check_can_follow(replace(add_on, plan=plan.slug), supplier.service, supplier.service, supplier.service.plan(follower.plan))
            await _change(tx, add_on, lambda now: replace(now, next_plan=plan.slug), **parts)
        return await _changed_plan(add_on, plan, supplier, by=by, **parts)
    except Exception:
        await _given_up(add_on, **parts)
        raise
    finally:
        _changing.discard(add_on.id)


async def _changed_plan(add_on: AddOn, plan: Plan, supplier: Supplier, *, by: Account | None, **parts: Unpack[Releasing]) -> AddOn:
    given = await in_time(add_on, supplier.change_plan(add_on.id, plan)) or Given(None)

    def changed(now: AddOn) -> AddOn:
        config = {**now.config, **(given.config or {})}
        return replace(now, plan=plan.slug, next_plan=None, config=config, message=given.message or now.message)

    released: list[Made] = []
    async with parts["db"].transaction() as tx:
        was, now = await _change(tx, add_on, changed, **parts)
        await note_add_on(tx, now, "update", was=was)
        if now.config != was.config:
            released = await release_users(tx, now, "Update", by=by, **parts)
    await announce(*released, **parts)
    return now


async def _given_up(add_on: AddOn, **parts: Unpack[Releasing]) -> None:
    """Whoever asked is told why it keeps its plan."""
    try:
        async with parts["db"].transaction() as tx:
            await _change(tx, add_on, lambda now: replace(now, next_plan=None), **parts)
    except PlatformError as problem:
        _log.warning("change of plan not given up", add_on=add_on.name, reason=problem.message)


async def finish_plans(*, suppliers: Suppliers, **parts: Unpack[Releasing]) -> None:
    """Goes on with changes of plans that a crash interrupted. One that fails waits for the next round, one that is refused ends."""
    async with parts["db"].reading() as tx:
        half = [each for each in await list_add_ons(tx, vault=parts["vault"], state=AddOnState.PROVISIONED) if each.next_plan is not None]
    for add_on in half:
        supplier = suppliers.get(add_on.service)
        if supplier is None or add_on.next_plan is None or add_on.id in _changing:
            continue
        _changing.add(add_on.id)
        try:
            await _changed_plan(add_on, supplier.service.plan(add_on.next_plan), supplier, by=None, **parts)
        except Unavailable as problem:
            _log.warning("change of plan waits", add_on=add_on.name, reason=problem.message)
        except PlatformError as problem:
            _log.warning("change of plan refused", add_on=add_on.name, reason=problem.message)
            await _given_up(add_on, **parts)
        finally:
            _changing.discard(add_on.id)


async def rename_add_on(add_on: AddOn, name: str, **parts: Unpack[Releasing]) -> AddOn:
    """Raises: Invalid, Conflict when the name is taken or the add-on is going."""
    checked = checked_add_on_name(name)
    async with parts["db"].transaction() as tx:
        was, now = await _change(tx, add_on, lambda now: replace(now, name=checked), **parts)
        await note_add_on(tx, now, "update", was=was)
    return now


async def _change(tx: Transaction, add_on: AddOn, change: Callable[[AddOn], AddOn], **parts: Unpack[Releasing]) -> tuple[AddOn, AddOn]:
    """As it was and is: changes what is stored now, which may be newer than what the caller saw."""
    was = await lock_add_on(tx, add_on.id, vault=parts["vault"])
    if was is None or was.state is not AddOnState.PROVISIONED:
        raise Conflict(f"{add_on.name} is not provisioned; `senryu addons` shows its state.")
    now = replace(change(was), updated_at=parts["clock"].now())
    await update_add_on(tx, now, vault=parts["vault"])
    return was, now
