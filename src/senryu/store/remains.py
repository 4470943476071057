"""What destroyed apps left behind outside the database: noted with the destruction, forgotten once cleared away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select

from .database import Transaction
from .tables import remains


@dataclass(frozen=True, slots=True)
class Remains:
    """One destroyed app's slugs (checksums), output streams and dynos; its repository, cache and log go by the app's id."""

    app_id: UUID
    checksums: tuple[str, ...]
    streams: tuple[UUID, ...]
    dynos: tuple[UUID, ...]


async def note_remains(tx: Transaction, left: Remains, now: datetime) -> None:
    """Notes what is to be cleared away."""
    await tx.execute(
        insert(remains).values(
            app_id=left.app_id,
            checksums=list(left.checksums),
            streams=[str(id) for id in left.streams],
            dynos=[str(id) for id in left.dynos],
            created_at=now,
        )
    )


async def list_remains(tx: Transaction) -> list[Remains]:
    """Everything not cleared away yet."""
    return [
        Remains(
            row.app_id,
            tuple(row.checksums),
            tuple(UUID(id) for id in row.streams),
            tuple(UUID(id) for id in row.dynos),
        )
        for row in (await tx.execute(select(remains))).all()
    ]


async def forget_remains(tx: Transaction, app_id: UUID) -> None:
    """It is cleared away."""
    await tx.execute(delete(remains).where(remains.c.app_id == app_id))
