"""Accounts: who uses the platform.

Source: schema `account`, `oauth-authorization`; https://devcenter.heroku.com/articles/oauth
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .errors import Invalid
from .limits import PASSWORD_MIN_CHARS

_EMAIL = re.compile(r"^[^@\s\x00-\x1f/\\\"'<>]{1,64}@[A-Za-z0-9.-]{1,189}\Z")


@dataclass(frozen=True, slots=True)
class Account:
    """Someone with a password. The operator is the first account made on the machine.

    `is_verified`: the operator knows who it is, and gives it more hours of free dynos.
    """

    id: UUID
    email: str
    name: str | None
    password_hash: str
    is_operator: bool
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None = None
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class Authorization:
    """A token's record. The token itself is never stored; `token_hash` is its SHA-256, `masked` what lists show."""

    id: UUID
    account_id: UUID
    description: str
    scope: tuple[str, ...]
    token_hash: str
    masked: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None


def checked_email(email: str) -> str:
    """The address in lower case. Raises: Invalid."""
    email = email.strip().lower()
    if not _EMAIL.match(email):
        raise Invalid(f"`{email[:80]}` is no e-mail address; use one such as you@example.com.")
    return email


def checked_password(password: str) -> str:
    """The password as given. Raises: Invalid when it is too short or too long to hash."""
    if len(password) < PASSWORD_MIN_CHARS:
        raise Invalid(f"The password is too short; use at least {PASSWORD_MIN_CHARS} characters.")
    if len(password.encode()) > 1024:
        raise Invalid("The password is longer than 1,024 bytes; use a shorter one.")
    return password
