"""The platform's records of dynos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.dyno import Dyno, DynoKind, DynoState
from .database import Transaction
from .rows import columns, noun
from .tables import dynos
from .vault import Vault


@dataclass(frozen=True, slots=True)
class TerminalWish:
    """How a one-off dyno is to be started: with a terminal or pipes, and with which extra environment."""

    attach: bool = False
    tty: bool = False
    columns: int = 80
    lines: int = 24


def _dyno(row: Any) -> Dyno:
    return noun(Dyno, row, kind=DynoKind(row["kind"]), state=DynoState(row["state"]))


async def create_dyno(
    tx: Transaction, dyno: Dyno, *, env: Mapping[str, str] | None = None, terminal: TerminalWish | None = None, vault: Vault | None = None
) -> None:
    """Stores a record before the dyno is started. `env` is what it gets beyond the release's, kept sealed."""
    values = columns(dyno)
    if env and vault:
        values["sealed_env"] = vault.seal(env)
    if terminal:
        values["terminal"] = columns(terminal)
    await tx.execute(insert(dynos).values(values))


async def start_wish(tx: Transaction, id: UUID, *, vault: Vault) -> tuple[dict[str, str], TerminalWish]:
    """The extra environment and terminal a dyno was ordered with."""
    row = (await tx.execute(select(dynos.c.sealed_env, dynos.c.terminal).where(dynos.c.id == id))).mappings().first()
    if row is None:
        return {}, TerminalWish()
    return vault.open(row["sealed_env"]) if row["sealed_env"] else {}, TerminalWish(**(row["terminal"] or {}))


async def set_dyno(tx: Transaction, id: UUID, **changes: Any) -> None:
    """Stores single fields of a record: what others change meanwhile stays."""
    values = {name: value.value if isinstance(value, Enum) else value for name, value in changes.items()}
    await tx.execute(update(dynos).where(dynos.c.id == id).values(values))


async def delete_dyno(tx: Transaction, id: UUID) -> None:
    """Forgets a record."""
    await tx.execute(delete(dynos).where(dynos.c.id == id))


async def list_dynos(tx: Transaction, app_id: UUID) -> list[Dyno]:
    """All records of an app, by name, oldest first."""
    query = select(dynos).where(dynos.c.app_id == app_id).order_by(dynos.c.type, dynos.c.number, dynos.c.created_at)
    return [_dyno(row) for row in (await tx.execute(query)).mappings()]


async def find_dyno(tx: Transaction, id: UUID) -> Dyno | None:
    """One record."""
    row = (await tx.execute(select(dynos).where(dynos.c.id == id))).mappings().first()
    return _dyno(row) if row else None


async def all_dyno_ids(tx: Transaction) -> dict[UUID, UUID]:
    """Every record's app, by dyno id."""
    rows = (await tx.execute(select(dynos.c.id, dynos.c.app_id))).all()
    return {row.id: row.app_id for row in rows}


async def ended_dyno_ids(tx: Transaction) -> set[UUID]:
    """The records whose dyno has ended."""
    return set((await tx.execute(select(dynos.c.id).where(dynos.c.ended_at.is_not(None)))).scalars())
