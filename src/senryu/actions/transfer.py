"""Giving apps away: to a team at once, to a person when they accept."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack
from uuid import uuid4

from ..core import limits
from ..core.account import Account, checked_email
from ..core.app import App
from ..core.app_transfer import AppTransfer, TransferState
from ..core.clock import Clock
from ..core.collaborator import Collaborator
from ..core.errors import Forbidden, Invalid, NotFound
from ..core.permission import EVERY
from ..core.team import Role, Team, TeamMember
from ..store.accounts import find_account
from ..store.app_transfers import create_transfer, delete_transfer, forget_transfers, list_transfers, update_transfer
from ..store.apps import add_collaborator, count_apps, list_collaborators, list_team_apps, lock_app, remove_collaborators, update_app
from ..store.database import Transaction
from ..store.teams import add_member, find_member
from ..store.usage import first_beat
from .access import team_for
from .note import note
from .parts import Telling
from .share import uuid_of
from .tell import tell


async def transfer(app: App, recipient: str, *, by: Account, **parts: Unpack[Telling]) -> App:
    """Gives an app to a team, or one of a team's apps to one of its people. Raises: NotFound, Forbidden, Invalid."""
    async with parts["db"].transaction() as tx:
        now = await _locked(tx, app)
        if "@" in recipient:
            changed = await _to_person(tx, now, recipient)
        else:
            changed = await _to_team(tx, now, await team_for(tx, by, recipient, Role.ADMIN, Role.MEMBER), by, parts)
        changed = replace(changed, updated_at=parts["clock"].now())
        await forget_transfers(tx, app.id)
        await _hand_over(tx, changed, parts["clock"])
        await note(tx, changed, changed, "update", now=changed.updated_at, by=by.id, was=now)
    said = f"Transfer to {recipient} by user {by.email}"
    await tell(app.id, "api", said, log_writer=parts["log_writer"], clock=parts["clock"], source="app")
    return changed


async def _hand_over(tx: Transaction, app: App, clock: Clock) -> None:
    await first_beat(tx, clock.boot(), clock.now())  # what the machine's end ended is nobody else's
    await update_app(tx, app)


async def _locked(tx: Transaction, app: App) -> App:
    now = await lock_app(tx, app.id)
    if now is None:
        raise NotFound("Couldn't find that app.")
    if (now.owner_id, now.team_id) != (app.owner_id, app.team_id):
        raise Invalid(f"{app.name} has changed hands meanwhile.", app=app.name)
    return now


async def _to_team(tx: Transaction, app: App, team: Team, by: Account, parts: Telling) -> App:
    """Whoever worked on the app goes on, now as the team's collaborators; who brings it and is no admin keeps every permission."""
    if app.team_id == team.id:
        raise Invalid(f"{app.name} belongs to the team {team.name} already.", app=app.name)
    if len(await list_team_apps(tx, team.id)) >= limits.TEAM_APPS_MAX:
        raise Invalid(f"The team {team.name} has {limits.TEAM_APPS_MAX} apps already; destroy one first.")
    at = parts["clock"].now()
    places = await list_collaborators(tx, app.id)
    for place in places:
        if await find_member(tx, team.id, place.account_id) is None:
            await add_member(tx, TeamMember(uuid4(), team.id, place.account_id, Role.COLLABORATOR, at, at))
    own = await find_member(tx, team.id, by.id)
    if own and own.role is not Role.ADMIN and by.id not in {place.account_id for place in places}:
        await add_collaborator(tx, Collaborator(uuid4(), app.id, by.id, at, at, EVERY))
    return replace(app, team_id=team.id, owner_id=by.id)


async def _to_person(tx: Transaction, app: App, email: str) -> App:
    """Every other place at the app is taken away, as the client warns."""
    account = await find_account(tx, checked_email(email))
    if app.team_id is None:
        raise Invalid(f"{app.name} is no team's; offer it with apps:transfer, and {email[:80]} may accept.", app=app.name)
    if account is None or await find_member(tx, app.team_id, account.id) is None:
        raise NotFound(f"{email[:80]} is not in the team that owns {app.name}; add them with members:add first.", app=app.name)
    await _has_room(tx, account)
    await remove_collaborators(tx, app.id)
    return replace(app, team_id=None, owner_id=account.id, is_locked=False)


async def _has_room(tx: Transaction, account: Account) -> None:
    if await count_apps(tx, account.id) >= limits.APPS_PER_ACCOUNT_MAX:
        raise Invalid(f"{account.email} owns {limits.APPS_PER_ACCOUNT_MAX} apps already.")


async def offer(app: App, recipient: str, *, by: Account, **parts: Unpack[Telling]) -> tuple[AppTransfer, Account]:
    """Offers an app to another account. Raises: NotFound, Invalid."""
    now = parts["clock"].now()
    async with parts["db"].transaction() as tx:
        await _locked(tx, app)
        account = await find_account(tx, uuid_of(recipient) or recipient)
        if account is None:
            raise NotFound(f"There is no account for {recipient[:80]}; its owner must register first.")
        if app.team_id is not None or account.id == by.id:
            raise Invalid(f"{app.name} cannot be offered to {account.email}.", app=app.name)
        pending = [each for each in await list_transfers(tx, by.id) if each.state is TransferState.PENDING]
        if any(each.app_id == app.id for each in pending):
            raise Invalid(f"{app.name} is being offered to somebody already; take that back first.", app=app.name)
        if len(pending) >= limits.APP_TRANSFERS_PER_ACCOUNT_MAX:
            raise Invalid(f"{limits.APP_TRANSFERS_PER_ACCOUNT_MAX} transfers wait for an answer already.")
        made = AppTransfer(uuid4(), app.id, by.id, account.id, TransferState.PENDING, now, now)
        await create_transfer(tx, made)
    return made, account


async def answer_offer(transfer: AppTransfer, app: App, *, accepts: bool, by: Account, **parts: Unpack[Telling]) -> AppTransfer:
    """Accepts or declines. Raises: Forbidden for anyone but the recipient, Invalid when it was answered, or no longer the owner's."""
    now = parts["clock"].now()
    async with parts["db"].transaction() as tx:
        current = await _locked(tx, app)
        found = next((each for each in await list_transfers(tx, by.id) if each.id == transfer.id), None)
        if found is None or found.recipient_id != by.id:
            raise Forbidden(f"Only whom {app.name} is offered to may answer.", app=app.name)
        if found.state is not TransferState.PENDING or current.team_id is not None or current.owner_id != found.owner_id:
            raise Invalid(f"The offer of {app.name} was answered already.", app=app.name)
        if accepts:
            await _has_room(tx, by)
            await remove_collaborators(tx, app.id)
            changed = replace(current, owner_id=by.id, updated_at=now)
            await _hand_over(tx, changed, parts["clock"])
            await note(tx, changed, changed, "update", now=now, by=by.id, was=current)
        answered = replace(found, state=TransferState.ACCEPTED if accepts else TransferState.DECLINED, updated_at=now)
        await update_transfer(tx, answered)
    if accepts:
        await tell(app.id, "api", f"Transfer to {by.email}", log_writer=parts["log_writer"], clock=parts["clock"], source="app")
    return answered


async def withdraw(transfer: AppTransfer, *, by: Account, **parts: Unpack[Telling]) -> None:
    """Takes an offer back. Raises: Forbidden for anyone but its maker, Invalid when it was answered."""
    async with parts["db"].transaction() as tx:
        found = next((each for each in await list_transfers(tx, by.id) if each.id == transfer.id), None)
        if found is None or found.owner_id != by.id:
            raise Forbidden("Only who offered the app may take the offer back.")
        if found.state is not TransferState.PENDING:
            raise Invalid("This offer was answered already.")
        await delete_transfer(tx, found.id)
