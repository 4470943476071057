"""Making teams and saying who is in them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from ..core import limits
from ..core.account import Account, checked_email
from ..core.clock import Clock
from ..core.errors import Conflict, Forbidden, Invalid, NotFound
from ..core.team import Role, Team, TeamMember, team_name
from ..store.accounts import find_account
from ..store.apps import find_collaborator, list_team_apps, remove_collaborator
from ..store.database import Database, Transaction
from ..store.teams import (
    add_member,
    count_memberships,
    create_team,
    delete_team,
    find_member,
    find_team,
    list_members,
    lock_team,
    remove_member,
    update_member,
    update_team,
)
from .access import team_for

Place = tuple[TeamMember, Account]


async def found_team(name: str, *, by: Account, db: Database, clock: Clock) -> Team:
    """A new team with its founder as admin. Raises: Invalid when the name is bad or taken, or the account is in many teams."""
    now = clock.now()
    team = Team(uuid4(), team_name(name), now, now)
    try:
        async with db.transaction() as tx:
            if await count_memberships(tx, by.id) >= limits.TEAMS_PER_ACCOUNT_MAX:
                raise Invalid(f"You are in {limits.TEAMS_PER_ACCOUNT_MAX} teams already; leave one first.")
            if await find_team(tx, team.name):
                raise Conflict("taken")
            await create_team(tx, team)
            await add_member(tx, TeamMember(uuid4(), team.id, by.id, Role.ADMIN, now, now))
    except Conflict:
        raise Invalid(f"The team name {team.name} is already taken; choose another.") from None
    return team


async def rename_team(team: str, name: str | None, *, by: Account, db: Database, clock: Clock) -> Team:
    """Gives a team another name. Raises: NotFound, Forbidden, Invalid."""
    try:
        async with db.transaction() as tx:
            found = await _locked(tx, team, by)
            if name is None or name == found.name:
                return found
            if await find_team(tx, team_name(name)):
                raise Conflict("taken")
            changed = replace(found, name=name, updated_at=clock.now())
            await update_team(tx, changed)
    except Conflict:
        raise Invalid(f"The team name {name} is already taken; choose another.") from None
    return changed


async def dissolve_team(team: str, *, by: Account, db: Database) -> Team:
    """Ends a team that owns nothing. Raises: NotFound, Forbidden, Invalid while it has apps."""
    async with db.transaction() as tx:
        found = await _locked(tx, team, by)
        if await list_team_apps(tx, found.id):
            raise Invalid(f"The team {found.name} owns apps; transfer or destroy them first.")
        await delete_team(tx, found.id)
    return found


async def set_member(team: str, email: str, role: Role, *, by: Account, db: Database, clock: Clock, is_new: bool) -> Place:
    """Puts an account into a team, or gives it another role; `is_new` lets it be added.

    Raises: NotFound, Forbidden, Invalid for the last admin.
    """
    now = clock.now()
    async with db.transaction() as tx:
        found = await _locked(tx, team, by)
        account = await find_account(tx, checked_email(email))
        if account is None:
            raise NotFound(f"There is no account for {email[:80]}; its owner must register first (`senryu registration:invite`).")
        member = await find_member(tx, found.id, account.id)
        if member is None:
            if not is_new:
                raise NotFound(f"{email[:80]} is not in the team {found.name}; add them with members:add.")
            if len(await list_members(tx, found.id)) >= limits.TEAM_MEMBERS_MAX:
                raise Invalid(f"The team {found.name} has {limits.TEAM_MEMBERS_MAX} members already; remove one first.")
            made = TeamMember(uuid4(), found.id, account.id, role, now, now)
            await add_member(tx, made)
            return made, account
        if role is not Role.ADMIN:
            await _another_admin_than(tx, member, found)
        changed = replace(member, role=role, updated_at=now)
        await update_member(tx, changed)
    return changed, account


async def expel_member(team: str, who: str, *, by: Account, db: Database) -> Place:
    """Takes an account out of a team and off its apps; anyone may leave. Raises: NotFound, Forbidden, Invalid for the last admin."""
    async with db.transaction() as tx:
        found = await team_for(tx, by, team)
        own = await find_member(tx, found.id, by.id)
        account = await find_account(tx, _uuid_or_address(who))
        if (own is None or own.role is not Role.ADMIN) and (account is None or account.id != by.id):
            raise Forbidden(f"Only an admin of the team {found.name} may remove others; ask one.")
        await lock_team(tx, found.id)
        member = await find_member(tx, found.id, account.id) if account else None
        if account is None or member is None:
            raise NotFound(f"{who[:80]} is not in the team {found.name}.")
        await _another_admin_than(tx, member, found)
        for app in await list_team_apps(tx, found.id):
            place = await find_collaborator(tx, app.id, account.id)
            if place:
                await remove_collaborator(tx, place.id)
        await remove_member(tx, member.id)
    return member, account


def _uuid_or_address(who: str) -> UUID | str:
    try:
        return UUID(who)
    except ValueError:
        return who


async def _locked(tx: Transaction, team: str, by: Account) -> Team:
    found = await team_for(tx, by, team, Role.ADMIN)
    await lock_team(tx, found.id)
    return found


async def _another_admin_than(tx: Transaction, member: TeamMember, team: Team) -> None:
    others = [each for each in await list_members(tx, team.id) if each.role is Role.ADMIN and each.id != member.id]
    if not others:
        raise Invalid(f"The team {team.name} needs an admin; make somebody else one first.")
