"""Collaborators: other accounts that may work on an app.

Source: https://devcenter.heroku.com/articles/collaborating, schema `collaborator`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Collaborator:
    """An account's place at an app. Collaborators may do all but destroy, rename, transfer the app or change who has access."""

    id: UUID
    app_id: UUID
    account_id: UUID
    created_at: datetime
    updated_at: datetime
