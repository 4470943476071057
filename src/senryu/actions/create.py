"""Making, renaming and destroying apps, and the switches an app has."""

from __future__ import annotations

import secrets
from dataclasses import replace
from uuid import UUID, uuid4

from ..core import limits
from ..core.account import Account
from ..core.app import App, app_name
from ..core.clock import Clock
from ..core.collaborator import Collaborator
from ..core.errors import Conflict, Invalid, NotFound
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..core.names import two_words
from ..core.permission import EVERY
from ..core.release import Release, ReleaseStatus
from ..core.stack import HOST
from ..core.team import Role
from ..store.apps import add_collaborator, count_apps, create_app, find_app, list_team_apps, lock_app, update_app
from ..store.database import Database, Transaction
from ..store.releases import append_release
from ..store.stacks import list_stacks
from ..store.teams import find_member, lock_team
from ..store.usage import first_beat
from ..store.vault import Vault
from .access import team_for
from .note import note
from .tell import tell


async def checked_stack(tx: Transaction, name: str) -> str:
    """A stack there is. Raises: Invalid, listing them."""
    names = [HOST, *(stack.name for stack in await list_stacks(tx))]
    if name not in names:
        raise Invalid(f"Couldn't find the stack `{name}`. Stacks are {', '.join(names)}.")
    return name


def _first_release(app: App, by: Account) -> Release:
    return Release(
        id=uuid4(),
        app_id=app.id,
        version=1,
        status=ReleaseStatus.SUCCEEDED,
        description="Initial release",
        user_id=by.id,
        config_vars={},
        process_types={},
        slug_id=None,
        slug_checksum=None,
        stack=app.stack,
        brings_code=False,
        created_at=app.created_at,
        updated_at=app.created_at,
    )


async def create(
    name: str | None,
    *,
    by: Account,
    stack: str | None,
    team: str | None = None,
    is_locked: bool = False,
    db: Database,
    vault: Vault,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> App:
    """A new app, with a two-word name when none is given, and its first, empty release; with a `team`, it owns the app.

    Raises: Invalid when the name is bad or taken, the stack unknown, or the account has its share of apps; what `team_for` raises.
    """
    try:
        app = await _created(name, by, stack, team, is_locked, db, vault, clock)
    except Conflict:  # two asked for the name at once
        raise Invalid(f"Name {name} is already taken; choose another.") from None
    lines = ("Initial release by user " + by.email, f"Release v1 created by user {by.email}")
    await tell(app.id, "api", *lines, log_writer=log_writer, clock=clock, source="app")
    supervision.wake(app.id)
    return app


async def _created(
    name: str | None, by: Account, stack: str | None, team: str | None, is_locked: bool, db: Database, vault: Vault, clock: Clock
) -> App:
    now = clock.now()
    async with db.transaction() as tx:
        team_id = await _checked_team(tx, team, by)
        chosen = await checked_stack(tx, stack or HOST)
        wanted = app_name(name) if name else two_words(secrets.randbits(64))
        if await find_app(tx, wanted):
            raise Invalid(f"Name {wanted} is already taken; choose another.")
        app = App(uuid4(), wanted, by.id, chosen, chosen, False, now, now, released_at=now, team_id=team_id, is_locked=is_locked)
        await create_app(tx, app)
        member = await find_member(tx, team_id, by.id) if team_id else None
        if member and member.role is not Role.ADMIN:
            await add_collaborator(tx, Collaborator(uuid4(), app.id, by.id, now, now, EVERY))
        await append_release(tx, _first_release(app, by), vault=vault)
    return app


async def _checked_team(tx: Transaction, name: str | None, by: Account) -> UUID | None:
    if name is None:
        if await count_apps(tx, by.id) >= limits.APPS_PER_ACCOUNT_MAX:
            raise Invalid(f"You've reached the limit of {limits.APPS_PER_ACCOUNT_MAX} apps; destroy one first.")
        return None
    team = await team_for(tx, by, name, Role.ADMIN, Role.MEMBER)
    await lock_team(tx, team.id)  # so that it is not dissolved meanwhile
    if len(await list_team_apps(tx, team.id)) >= limits.TEAM_APPS_MAX:
        raise Invalid(f"The team {team.name} has {limits.TEAM_APPS_MAX} apps already; destroy one first.")
    return team.id


async def change(
    app: App,
    *,
    by: Account,
    name: str | None = None,
    is_maintenance: bool | None = None,
    build_stack: str | None = None,
    is_locked: bool | None = None,
    db: Database,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> App:
    """Renames an app, turns maintenance on or off, or chooses the stack of its next build. Raises: Invalid."""
    told: list[str] = []
    async with db.transaction() as tx:
        held = now = await lock_app(tx, app.id)
        if held is None or now is None:
            raise NotFound("Couldn't find that app.")
        if name is not None and name != now.name:
            if await find_app(tx, app_name(name)):
                raise Invalid(f"Name {name} is already taken; choose another.")
            told.append(f"Rename from {now.name} to {name} by user {by.email}")
            now = replace(now, name=name)
        if is_maintenance is not None and is_maintenance != now.is_maintenance:
            told.append(f"{'Enable' if is_maintenance else 'Disable'} maintenance mode by user {by.email}")
            now = replace(now, is_maintenance=is_maintenance)
        if build_stack is not None:
            now = replace(now, build_stack=await checked_stack(tx, build_stack))
        if is_locked is not None and is_locked != now.is_locked:
            told.append(f"{'Lock' if is_locked else 'Unlock'} app by user {by.email}")
            now = replace(now, is_locked=is_locked)
        now = replace(now, updated_at=clock.now())
        await first_beat(tx, clock.boot(), now.updated_at)  # what the machine's end ended is on the statement by the name of before
        await update_app(tx, now)
        await note(tx, now, now, "update", now=now.updated_at, by=by.id, was=held)
    await tell(app.id, "api", *told, log_writer=log_writer, clock=clock, source="app")
    supervision.wake(app.id)
    return now
