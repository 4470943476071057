"""Answers to writes, kept for a while for clients whose connection broke before they had them. They may hold secrets and are sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from .account_tables import idempotent_answers
from .database import Transaction
from .vault import Vault


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """`status` None: the write was begun and had an effect, and nobody knows which answer it would have had."""

    status: int | None
    headers: dict[str, str]
    body: str


async def find_answer(tx: Transaction, key: str, since: datetime, *, vault: Vault) -> KeptAnswer | None:
    """What is kept under a key, unless it is older."""
    wanted = (idempotent_answers.c.key == key) & (idempotent_answers.c.created_at >= since)
    row: Any = (await tx.execute(select(idempotent_answers).where(wanted))).mappings().first()
    if row is None:
        return None
    opened = vault.open(row["sealed_answer"]) if row["sealed_answer"] else {}
    body = opened.pop("body", "")
    return KeptAnswer(row["status"], opened, body)


async def mark_begun(tx: Transaction, key: str, now: datetime) -> None:
    """Notes, in a transaction of the write itself, that it has an effect from now on."""
    await tx.execute(delete(idempotent_answers).where(idempotent_answers.c.key == key))
    await tx.execute(insert(idempotent_answers).values(key=key, created_at=now))


async def keep_answer(tx: Transaction, key: str, answer: KeptAnswer, *, vault: Vault) -> None:
    """Adds the answer to what `mark_begun` noted."""
    sealed = vault.seal({**answer.headers, "body": answer.body})
    values = {"status": answer.status, "sealed_answer": sealed}
    await tx.execute(update(idempotent_answers).where(idempotent_answers.c.key == key).values(values))


async def prune_answers(tx: Transaction, before: datetime, *, most: int) -> None:
    """Forgets those that are older, and all but the newest `most`."""
    table = idempotent_answers
    await tx.execute(delete(table).where(table.c.created_at < before))
    beyond = (await tx.execute(select(table.c.created_at).order_by(table.c.created_at.desc()).offset(most).limit(1))).scalar()
    if beyond is not None:
        await tx.execute(delete(table).where(table.c.created_at <= beyond))
