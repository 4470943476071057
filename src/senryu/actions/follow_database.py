"""Databases that follow another (`--follow`), and what makes them their own again (`pg:unfollow`).

A follower is its leader's database on a copy of the server. Unfollowed, it is a database of its own with what the leader had at that
moment; until that is complete it goes on following, whatever happens.

Source: https://devcenter.heroku.com/articles/heroku-postgres-follower-databases
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Unpack

from ..core.account import Account
from ..core.add_on import AddOn, AddOnState, Given, Supplier, Suppliers, chosen
from ..core.app import App
from ..core.errors import Conflict, PlatformError, Unavailable
from ..core.follower import Following, check_can_follow, followed_anew
from ..core.limits import TRANSFER_TIMEOUT_S
from ..core.transfer import Transfer, TransferKind
from ..store.add_ons import find_add_on, list_followers, lock_add_on, update_add_on
from ..store.database import Transaction
from .move_data import into_archive, into_database
from .parts import Releasing
from .provision import following_alone, provision
from .release import Made, announce
from .release_attached import release_users
from .transfers import Report, Transfers


async def follow(
    app: App,
    wanted: str,
    leader: AddOn,
    *,
    name: str | None,
    attached_as: str | None,
    by: Account,
    suppliers: Suppliers,
    **parts: Unpack[Releasing],
) -> AddOn:
    """A follower of `leader`; `provisioning` while the copy of the server is made. Raises: as `provision`, and Invalid for other plans."""
    supplier, plan = chosen(suppliers, wanted)

    async def also(tx: Transaction, _: AddOn) -> None:
        now = await find_add_on(tx, leader.id, vault=parts["vault"])
        if now is None:
            raise Conflict(f"{leader.name} is not there any more.")
        check_can_follow(now, suppliers[now.service].service, supplier.service, plan)

    return await provision(
        app, wanted, name=name, attached_as=attached_as, options={}, by=by, suppliers=suppliers, follows=leader.id, also=also, **parts
    )


async def unfollow(follower: AddOn, *, by: Account, transfers: Transfers, **parts: Unpack[Releasing]) -> Transfer:
    """Begins to make it a database of its own. Raises: Conflict when it follows none, or that is under way; Unavailable."""
    async with parts["db"].reading() as tx:
        leader = await find_add_on(tx, follower.follows, vault=parts["vault"]) if follower.follows else None
    if leader is None:
        raise Conflict(f"{follower.name} does not follow another database.")
    transfers.movable(leader)
    draft = await transfers.draft(TransferKind.COPY, follower.app_id, of=leader, to=follower)

    async def work(report: Report) -> int:
        failed, released = await _filled(follower, leader, report, transfers, by=by, **parts)
        await announce(*released, **parts)
        return failed

    return await transfers.begin(work, draft)


async def _filled(
    follower: AddOn, leader: AddOn, report: Report, transfers: Transfers, *, by: Account, **parts: Unpack[Releasing]
) -> tuple[int, list[Made]]:
    """Gives how many statements failed, and the releases."""
    supplier = transfers.suppliers[follower.service]
    async with asyncio.timeout(TRANSFER_TIMEOUT_S):
        try:
            await into_archive(leader, report, transfers)
            own = await _room_of_its_own(follower, supplier)
            failed = await into_database(report.transfer.key, own, report, transfers)
            released = await _free(own, by=by, **parts)
        except Exception:
            with suppress(PlatformError):  # what stays is taken over by the next unfollow, or goes with the add-on
                if await _still_follows(follower, **parts):
                    await supplier.deprovision(follower.id)
            raise
        finally:
            await transfers.blobs.delete(report.transfer.key)
    return failed, released


async def _still_follows(follower: AddOn, **parts: Unpack[Releasing]) -> bool:
    """Whether its own room is nobody's: a commit that was not answered may have been one. Raises: Unavailable."""
    async with parts["db"].reading() as tx:
        now = await find_add_on(tx, follower.id, vault=parts["vault"])
    return now is None or now.follows is not None


async def _room_of_its_own(follower: AddOn, supplier: Supplier) -> AddOn:
    config = await supplier.provision(follower.id, supplier.service.plan(follower.plan), {})
    if isinstance(config, Given):
        raise Unavailable(f"{follower.name} could not be given a database of its own; try again.")
    return replace(follower, follows=None, config=config)


async def _free(own: AddOn, *, by: Account, **parts: Unpack[Releasing]) -> list[Made]:
    async with parts["db"].transaction() as tx:
        now = await lock_add_on(tx, own.id, vault=parts["vault"])
        if now is None or now.state is not AddOnState.PROVISIONED:
            raise Conflict(f"{own.name} was destroyed meanwhile.")
        changed = replace(now, follows=None, config=own.config, updated_at=parts["clock"].now())
        await update_add_on(tx, changed, vault=parts["vault"])
        return await release_users(tx, changed, "Update", by=by, **parts)


async def lead_followers(tx: Transaction, leader: AddOn, *, by: Account | None, **parts: Unpack[Releasing]) -> list[Made]:
    """Gives the followers of a leader with another URL theirs, and releases who has them attached."""
    made: list[Made] = []
    for follower in await list_followers(tx, leader.id, vault=parts["vault"]):
        if follower.state is AddOnState.PROVISIONED:
            config = {"URL": followed_anew(leader.config["URL"], follower.config["URL"])}
            changed = replace(follower, config=config, updated_at=parts["clock"].now())
            await update_add_on(tx, changed, vault=parts["vault"])
            made += await release_users(tx, changed, "Update", by=by, **parts)
    return made


async def end_following(following: Following, **parts: Unpack[Releasing]) -> bool:
    """Takes the copy of the server away when nobody follows; whether it did. Raises: Unavailable, and is then called again."""
    async with following_alone:
        async with parts["db"].reading() as tx:
            if await list_followers(tx, vault=parts["vault"]):
                return False
        await following.end()
    return True
