"""Apps, who may see them, and their collaborators and buildpacks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from ..core.app import App
from ..core.buildpack import Buildpack
from ..core.collaborator import Collaborator
from ..core.permission import USUAL, Permission
from ..core.team import Role
from .database import Transaction
from .rows import columns, noun
from .tables import apps, buildpack_installations, collaborators, team_members
from .usage import pay_usage


async def create_app(tx: Transaction, app: App) -> None:
    """Stores a new app. Raises: Conflict when the name is taken."""
    await tx.execute(insert(apps).values(columns(app)))


def _named(id_or_name: UUID | str) -> ColumnElement[bool]:
    if isinstance(id_or_name, str):
        try:
            id_or_name = UUID(id_or_name)
        except ValueError:
            return apps.c.name == id_or_name
    return apps.c.id == id_or_name


async def find_app(tx: Transaction, id_or_name: UUID | str) -> App | None:
    """The app with an id or a name; an id may be given as text."""
    if isinstance(id_or_name, str) and "\0" in id_or_name:
        return None  # PostgreSQL refuses even to be asked
    row = (await tx.execute(select(apps).where(_named(id_or_name)))).mappings().first()
    return noun(App, row) if row else None


async def lock_app(tx: Transaction, id: UUID) -> App | None:
    """The app, with every other change of it waiting until this transaction ends."""
    row = (await tx.execute(select(apps).where(apps.c.id == id).with_for_update())).mappings().first()
    return noun(App, row) if row else None


async def lock_apps(tx: Transaction, ids: Collection[UUID]) -> None:
    """Several apps, each as `lock_app`; in one order, so that nobody waits for somebody who waits for them."""
    await tx.execute(select(apps.c.id).where(apps.c.id.in_(ids)).order_by(apps.c.id).with_for_update())


async def list_apps(tx: Transaction, account_id: UUID | None = None) -> list[App]:
    """Apps an account owns or works on, by name; all of them without an account."""
    query = select(apps).order_by(apps.c.name)
    if account_id is not None:
        shared = select(collaborators.c.app_id).where(collaborators.c.account_id == account_id)
        own = (apps.c.owner_id == account_id) & apps.c.team_id.is_(None)
        query = query.where(or_(own, apps.c.id.in_(shared), _of_teams(account_id)))
    return [noun(App, row) for row in (await tx.execute(query)).mappings()]


def _of_teams(account_id: UUID) -> ColumnElement[bool]:
    """Apps an account sees by its role in a team; `core/permission.py` says the same of one app."""
    mine = team_members.c.account_id == account_id
    every = select(team_members.c.team_id).where(mine & (team_members.c.role == Role.ADMIN.value))
    unlocked = select(team_members.c.team_id).where(mine & team_members.c.role.in_((Role.MEMBER.value, Role.VIEWER.value)))
    return or_(apps.c.team_id.in_(every), apps.c.team_id.in_(unlocked) & ~apps.c.is_locked)


async def find_apps(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, App]:
    """Several apps by id."""
    if not ids:
        return {}
    query = select(apps).where(apps.c.id.in_(ids))
    return {row["id"]: noun(App, row) for row in (await tx.execute(query)).mappings()}


async def list_team_apps(tx: Transaction, team_id: UUID) -> list[App]:
    """A team's apps, by name."""
    query = select(apps).where(apps.c.team_id == team_id).order_by(apps.c.name)
    return [noun(App, row) for row in (await tx.execute(query)).mappings()]


async def count_apps(tx: Transaction, owner_id: UUID) -> int:
    """How many apps an account owns by itself."""
    query = select(func.count()).select_from(apps).where((apps.c.owner_id == owner_id) & apps.c.team_id.is_(None))
    return (await tx.execute(query)).scalar_one()


async def update_app(tx: Transaction, app: App) -> None:
    """Stores what changed of an app; a new owner pays from then on. Raises: Conflict when a new name is taken."""
    await tx.execute(update(apps).where(apps.c.id == app.id).values(columns(app, "id", "created_at")))
    await pay_usage(tx, app.id, app.payer, app.name, app.updated_at)


async def delete_app(tx: Transaction, id: UUID) -> None:
    """The app and every row that belongs to it."""
    await tx.execute(delete(apps).where(apps.c.id == id))


async def list_collaborators(tx: Transaction, app_id: UUID) -> list[Collaborator]:
    """Who else works on an app, longest first; the owner is not among them."""
    query = select(collaborators).where(collaborators.c.app_id == app_id).order_by(collaborators.c.created_at)
    return [_collaborator(row) for row in (await tx.execute(query)).mappings()]


def _collaborator(row: Any) -> Collaborator:
    names = row["permissions"]
    return noun(Collaborator, row, permissions=USUAL if names is None else frozenset(Permission(name) for name in names))


def _permissions(collaborator: Collaborator) -> list[str] | None:
    return None if collaborator.permissions == USUAL else sorted(collaborator.permissions)


async def find_collaborator(tx: Transaction, app_id: UUID, account_id: UUID) -> Collaborator | None:
    """An account's place at an app."""
    wanted = (collaborators.c.app_id == app_id) & (collaborators.c.account_id == account_id)
    row = (await tx.execute(select(collaborators).where(wanted))).mappings().first()
    return _collaborator(row) if row else None


async def add_collaborator(tx: Transaction, collaborator: Collaborator) -> None:
    """Stores a new place. Raises: Conflict when the account has one."""
    await tx.execute(insert(collaborators).values({**columns(collaborator), "permissions": _permissions(collaborator)}))


async def update_collaborator(tx: Transaction, collaborator: Collaborator) -> None:
    """Stores changed permissions."""
    values = {"permissions": _permissions(collaborator), "updated_at": collaborator.updated_at}
    await tx.execute(update(collaborators).where(collaborators.c.id == collaborator.id).values(values))


async def remove_collaborators(tx: Transaction, app_id: UUID) -> None:
    """Takes every place at an app away, when it changes hands."""
    await tx.execute(delete(collaborators).where(collaborators.c.app_id == app_id))


async def remove_collaborator(tx: Transaction, id: UUID) -> None:
    """Takes a place away."""
    await tx.execute(delete(collaborators).where(collaborators.c.id == id))


async def list_buildpacks(tx: Transaction, app_id: UUID) -> list[Buildpack]:
    """The buildpacks set for an app, in order; none means that they detect."""
    table = buildpack_installations
    query = select(table.c.url).where(table.c.app_id == app_id).order_by(table.c.ordinal)
    return [Buildpack(url) for url in (await tx.execute(query)).scalars()]


async def set_buildpacks(tx: Transaction, app_id: UUID, buildpacks: list[Buildpack]) -> None:
    """Replaces the list."""
    table = buildpack_installations
    await tx.execute(delete(table).where(table.c.app_id == app_id))
    for ordinal, buildpack in enumerate(buildpacks):
        await tx.execute(insert(table).values(app_id=app_id, ordinal=ordinal, url=buildpack.url))
