"""Imported stacks."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from ..core.stack import Stack
from .database import Transaction
from .rows import columns, noun
from .tables import stacks


async def list_stacks(tx: Transaction) -> list[Stack]:
    """Imported stacks by name; `host` is not among them."""
    return [noun(Stack, row) for row in (await tx.execute(select(stacks).order_by(stacks.c.name))).mappings()]


async def set_stack(tx: Transaction, stack: Stack) -> None:
    """Stores a stack in place of one of the same name."""
    await tx.execute(delete(stacks).where(stacks.c.name == stack.name))
    await tx.execute(insert(stacks).values(columns(stack)))
