"""Who else works on an app."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from ..core.account import Account, checked_email
from ..core.app import App
from ..core.clock import Clock
from ..core.collaborator import Collaborator
from ..core.errors import Invalid, NotFound
from ..core.limits import COLLABORATORS_PER_APP_MAX
from ..core.log_line import LogWriter
from ..core.permission import USUAL, Permission
from ..core.team import Role, TeamMember
from ..store.accounts import find_account
from ..store.apps import add_collaborator, find_collaborator, list_collaborators, remove_collaborator, update_collaborator
from ..store.database import Database
from ..store.teams import add_member, find_member
from .note import note
from .tell import tell


async def share(
    app: App, email: str, *, by: Account, permissions: frozenset[Permission] = USUAL, db: Database, log_writer: LogWriter, clock: Clock
) -> tuple[Collaborator, Account]:
    """Lets another account work on the app. At a team's app it becomes a collaborator of the team, if it is not in it.

    Raises: NotFound for an unknown address, Invalid when it has access already.
    """
    now = clock.now()
    async with db.transaction() as tx:
        account = await find_account(tx, checked_email(email))
        if account is None:
            raise NotFound(f"There is no account for {email}; its owner must register first.")
        is_owner = app.team_id is None and account.id == app.owner_id
        if is_owner or await find_collaborator(tx, app.id, account.id):
            raise Invalid(f"{email} already has access to {app.name}.", app=app.name)
        if len(await list_collaborators(tx, app.id)) >= COLLABORATORS_PER_APP_MAX:
            raise Invalid(f"{app.name} has {COLLABORATORS_PER_APP_MAX} collaborators already; remove one first.", app=app.name)
        made = Collaborator(uuid4(), app.id, account.id, now, now, permissions)
        await add_collaborator(tx, made)
        await note(tx, app, made, "create", now=now, by=by.id)
        if app.team_id is not None and await find_member(tx, app.team_id, account.id) is None:
            await add_member(tx, TeamMember(uuid4(), app.team_id, account.id, Role.COLLABORATOR, now, now))
    await tell(app.id, "api", f"Add {email} as collaborator by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return made, account


async def permit(app: App, email: str, permissions: frozenset[Permission], *, db: Database, clock: Clock) -> tuple[Collaborator, Account]:
    """Gives a collaborator of a team's app other permissions. Raises: NotFound, Invalid for an app of no team."""
    async with db.transaction() as tx:
        account = await find_account(tx, uuid_of(email) or email)
        found = await find_collaborator(tx, app.id, account.id) if account else None
        if app.team_id is None:
            raise Invalid(f"{app.name} belongs to no team; its collaborators have one set of permissions.", app=app.name)
        if account is None or found is None:
            raise NotFound(f"{email[:80]} is not a collaborator of {app.name}.", app=app.name)
        changed = replace(found, permissions=permissions, updated_at=clock.now())
        await update_collaborator(tx, changed)
    return changed, account


def uuid_of(text: str) -> UUID | None:
    """The id a text is, None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def unshare(
    app: App, email: str, *, by: Account, db: Database, log_writer: LogWriter, clock: Clock
) -> tuple[Collaborator, Account]:
    """Takes the access of the account with an address or id away. Raises: NotFound, Invalid for the owner."""
    async with db.transaction() as tx:
        account = await find_account(tx, uuid_of(email) or email)
        if account is not None and app.team_id is None and account.id == app.owner_id:
            raise Invalid(f"{email} owns {app.name}; the owner's access cannot be removed.", app=app.name)
        found = await find_collaborator(tx, app.id, account.id) if account else None
        if account is None or found is None:
            raise NotFound(f"{email[:80]} is not a collaborator of {app.name}.", app=app.name)
        await remove_collaborator(tx, found.id)
        await note(tx, app, found, "destroy", now=clock.now(), by=by.id)
    await tell(app.id, "api", f"Remove {email} from collaborators by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return found, account
