"""Apps.

Source: schema `app`; https://devcenter.heroku.com/articles/limits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .errors import Invalid
from .limits import APP_NAME_MAX_CHARS

_NAME = re.compile(r"^[a-z][a-z0-9-]{1,28}[a-z0-9]\Z")
RESERVED = frozenset(
    ("api", "git", "dashboard", "objects", "www", "localhost", "admin", "senryu", "heroku", "status", "registry", "rendezvous")
)


@dataclass(frozen=True, slots=True)
class App:
    """An app. With a `team_id` the team owns it, and `owner_id` is the account that brought it there and has no rights by that.

    `is_acm`: its domains get certificates automatically.
    """

    id: UUID
    name: str
    owner_id: UUID
    stack: str
    build_stack: str
    is_maintenance: bool
    created_at: datetime
    updated_at: datetime
    released_at: datetime | None = None
    slug_size_bytes: int | None = None
    repo_size_bytes: int | None = None
    buildpack_provided_description: str | None = None
    team_id: UUID | None = None
    is_locked: bool = False
    is_acm: bool = False

    @property
    def payer(self) -> UUID:
        """Who pays for it: its team, or the account that owns it."""
        return self.team_id or self.owner_id


def app_name(name: str) -> str:
    """A checked app name.

    Raises: Invalid with Heroku's sentence about what a name may look like.
    """
    if not _NAME.match(name) or len(name) > APP_NAME_MAX_CHARS:
        raise Invalid(
            f"Name `{name[:60]}` must start with a letter, end with a letter or digit and can only contain lowercase letters,"
            f" digits, and dashes; it has 3 to {APP_NAME_MAX_CHARS} characters."
        )
    if name in RESERVED:
        raise Invalid(f"Name `{name}` is reserved by the platform; choose another.")
    return name
