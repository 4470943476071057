"""Stacks: the read-only system that dynos and builds run on.

Source: https://devcenter.heroku.com/articles/stack, schema `stack`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .errors import Invalid

HOST = "host"
_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,61}\Z")


@dataclass(frozen=True, slots=True)
class Stack:
    """`host` is the machine's own /usr; others were imported. `source` says from where."""

    id: UUID
    name: str
    state: str
    is_default: bool
    source: str
    created_at: datetime
    updated_at: datetime


def stack_name(name: str) -> str:
    """A checked stack name. Raises: Invalid."""
    if not _NAME.match(name):
        raise Invalid(f"`{name}` is no stack name; use lower-case letters, digits, dots and dashes.")
    return name
