"""Dyno sizes as the operator changed them, over the built-in ones; one row a size, and one for the default."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import delete, insert, select

from ..core.dyno_size import SIZES, DynoSize, Sizes
from .database import Transaction
from .rows import columns
from .tables import settings

_PREFIX = "dyno-size:"
_DEFAULT = "default-dyno-size"


def _size(content: dict[str, Any]) -> DynoSize:
    known = {field.name: content[field.name] for field in fields(DynoSize) if field.name in content}
    allowed = known.pop("allowed", None)
    return DynoSize(**known, allowed=None if allowed is None else tuple(allowed))


async def list_sizes(tx: Transaction) -> Sizes:
    """All sizes, the built-in ones first; also those no longer offered."""
    rows = (await tx.execute(select(settings).where(settings.c.name.startswith(_PREFIX) | (settings.c.name == _DEFAULT)))).mappings().all()
    changed = {size.key: size for row in rows if row["name"] != _DEFAULT for size in (_size(row["content"]),)}
    default = next((row["content"]["size"] for row in rows if row["name"] == _DEFAULT), None)
    return Sizes({**SIZES, **dict(sorted(changed.items()))}, default)


async def set_size(tx: Transaction, size: DynoSize) -> None:
    """Stores a size in place of the one of its name."""
    await _put(tx, _PREFIX + size.key, columns(size))


async def set_default_size(tx: Transaction, size: DynoSize) -> None:
    """What new process types get."""
    await _put(tx, _DEFAULT, {"size": size.key})


async def _put(tx: Transaction, name: str, content: dict[str, Any]) -> None:
    await tx.execute(delete(settings).where(settings.c.name == name))
    await tx.execute(insert(settings).values(name=name, content=content))
