"""Teams: accounts that own apps together.

Source: schema `team`, `team-member`; https://devcenter.heroku.com/articles/heroku-teams
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .errors import Invalid

_NAME = re.compile(r"^[a-z][a-z0-9-]{1,48}[a-z0-9]\Z")
_RESERVED = frozenset({"apps", "permissions", "invitations"})  # parts of paths below /teams


class Role(StrEnum):
    """What a member may do with the team's apps; see `core/permission.py`. A collaborator is let into single apps."""

    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    COLLABORATOR = "collaborator"


@dataclass(frozen=True, slots=True)
class Team:
    """A team. Its apps are shown as owned by `<name>@herokumanager.com`, by which clients know a team's app."""

    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime

    @property
    def address(self) -> str:
        """What stands in for an owner's address."""
        return f"{self.name}@herokumanager.com"


@dataclass(frozen=True, slots=True)
class TeamMember:
    """An account's place in a team."""

    id: UUID
    team_id: UUID
    account_id: UUID
    role: Role
    created_at: datetime
    updated_at: datetime


def team_name(name: str) -> str:
    """A checked team name. Raises: Invalid."""
    if not _NAME.match(name) or name in _RESERVED:
        raise Invalid(
            f"The team name `{name[:60]}` must start with a letter, end with a letter or digit and have 3 to 50 lowercase letters, digits"
            " and dashes."
        )
    return name


def role_named(text: str) -> Role:
    """A role. Raises: Invalid, listing them."""
    try:
        return Role(text)
    except ValueError:
        raise Invalid(f"`{text[:40]}` is no role; roles are {', '.join(Role)}.") from None
