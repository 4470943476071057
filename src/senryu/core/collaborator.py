"""Collaborators: other accounts that may work on an app.

Source: https://devcenter.heroku.com/articles/collaborating, schema `collaborator`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .permission import USUAL, Permission


@dataclass(frozen=True, slots=True)
class Collaborator:
    """An account's place at an app. Unless `permissions` were chosen, it may do all but what needs `manage`."""

    id: UUID
    app_id: UUID
    account_id: UUID
    created_at: datetime
    updated_at: datetime
    permissions: frozenset[Permission] = USUAL
