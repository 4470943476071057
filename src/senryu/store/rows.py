"""Between rows and nouns: a noun's fields are columns of the same names, unless the noun's own file says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

Noun = TypeVar("Noun")


def noun(kind: type[Noun], row: Any, /, **given: Any) -> Noun:
    """A noun from a row; `given` stands in for columns that need more than copying."""
    assert is_dataclass(kind)
    taken = {field.name: row[field.name] for field in fields(kind) if field.name not in given and field.name in row}
    return kind(**taken, **given)


def columns(thing: Any, *without: str) -> dict[str, Any]:
    """What of a noun goes into columns: enum values as text, tuples as lists, mappings as dicts."""
    return {field.name: _plain(getattr(thing, field.name)) for field in fields(thing) if field.name not in without}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value
