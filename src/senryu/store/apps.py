"""Apps, who may see them, and their collaborators and buildpacks."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from ..core.app import App
from ..core.buildpack import Buildpack
from ..core.collaborator import Collaborator
from .database import Transaction
from .rows import columns, noun
from .tables import apps, buildpack_installations, collaborators


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


async def list_apps(tx: Transaction, account_id: UUID | None = None) -> list[App]:
    """Apps an account owns or works on, by name; all of them without an account."""
    query = select(apps).order_by(apps.c.name)
    if account_id is not None:
        shared = select(collaborators.c.app_id).where(collaborators.c.account_id == account_id)
        query = query.where(or_(apps.c.owner_id == account_id, apps.c.id.in_(shared)))
    return [noun(App, row) for row in (await tx.execute(query)).mappings()]


async def count_apps(tx: Transaction, owner_id: UUID) -> int:
    """How many apps an account owns."""
    return (await tx.execute(select(func.count()).select_from(apps).where(apps.c.owner_id == owner_id))).scalar_one()


async def update_app(tx: Transaction, app: App) -> None:
    """Stores what changed of an app. Raises: Conflict when a new name is taken."""
    await tx.execute(update(apps).where(apps.c.id == app.id).values(columns(app, "id", "created_at")))


async def delete_app(tx: Transaction, id: UUID) -> None:
    """The app and every row that belongs to it."""
    await tx.execute(delete(apps).where(apps.c.id == id))


async def list_collaborators(tx: Transaction, app_id: UUID) -> list[Collaborator]:
    """Who else works on an app, longest first; the owner is not among them."""
    query = select(collaborators).where(collaborators.c.app_id == app_id).order_by(collaborators.c.created_at)
    return [noun(Collaborator, row) for row in (await tx.execute(query)).mappings()]


async def find_collaborator(tx: Transaction, app_id: UUID, account_id: UUID) -> Collaborator | None:
    """An account's place at an app."""
    wanted = (collaborators.c.app_id == app_id) & (collaborators.c.account_id == account_id)
    row = (await tx.execute(select(collaborators).where(wanted))).mappings().first()
    return noun(Collaborator, row) if row else None


async def add_collaborator(tx: Transaction, collaborator: Collaborator) -> None:
    """Stores a new place. Raises: Conflict when the account has one."""
    await tx.execute(insert(collaborators).values(columns(collaborator)))


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
