"""Which app is meant and what an account may do with it."""

from __future__ import annotations

from uuid import UUID

from ..core.account import Account
from ..core.app import App
from ..core.errors import Forbidden, NotFound
from ..core.permission import EVERY, Permission, permissions_in
from ..core.team import Role, Team
from ..store.apps import find_app, find_collaborator
from ..store.database import Transaction
from ..store.teams import find_member, find_team


async def permissions_of(tx: Transaction, account: Account, app: App) -> frozenset[Permission]:
    """What an account may do with an app; nothing when it may not know of it."""
    if app.team_id is None and app.owner_id == account.id:
        return EVERY
    place = await find_collaborator(tx, app.id, account.id)
    if app.team_id is None:
        return place.permissions if place else frozenset()
    member = await find_member(tx, app.team_id, account.id)
    return permissions_in(member.role if member else None, is_locked=app.is_locked, given=place.permissions if place else None)


async def app_for(tx: Transaction, account: Account, id_or_name: UUID | str, *, needs: Permission = Permission.VIEW) -> App:
    """The app, for someone who may work on it.

    Raises: NotFound when there is none or the account may not know of it; Forbidden when it may see it and not do this.
    """
    app = await find_app(tx, id_or_name)
    held = await permissions_of(tx, account, app) if app else frozenset[Permission]()
    if app is None or Permission.VIEW not in held:
        raise NotFound(f"Couldn't find the app `{str(id_or_name)[:60]}`; `senryu apps` lists those you may use.")
    if needs in held:
        return app
    if app.team_id is None and needs is Permission.MANAGE:
        raise Forbidden(f"Only the owner of {app.name} may do this; ask them.", app=app.name)
    raise Forbidden(f"You need the permission `{needs}` on {app.name} for this; ask who manages it.", app=app.name)


async def team_for(tx: Transaction, account: Account, id_or_name: UUID | str, *roles: Role) -> Team:
    """The team, for its members; with `roles`, for those only.

    Raises: NotFound when there is none or the account is not in it; Forbidden when its role is another.
    """
    team = await find_team(tx, id_or_name)
    member = await find_member(tx, team.id, account.id) if team else None
    if team is None or member is None:
        raise NotFound(f"Couldn't find the team `{str(id_or_name)[:60]}`; `heroku teams` lists those you are in.")
    if roles and member.role not in roles:
        raise Forbidden(f"Your role in the team {team.name} is {member.role}; this takes {' or '.join(roles)}. Ask an admin of the team.")
    return team
