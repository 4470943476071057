"""A second factor: a seed that an authenticator app and the platform share, and codes for the day the app is lost.

Source: RFC 6238 (TOTP); https://devcenter.heroku.com/articles/multi-factor-authentication
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .errors import Forbidden

HEADER = "Heroku-Two-Factor-Code"
RECOVERY_CODES = 10
STEP_S = 30


@dataclass(frozen=True, slots=True)
class TwoFactor:
    """An account's second factor; asked for once it `is_enabled`. `seed` is kept sealed; `last_step` is the half minute of the code
    taken last: that one and those before it are worth nothing."""

    account_id: UUID
    seed: str
    is_enabled: bool
    last_step: int
    created_at: datetime
    updated_at: datetime


def code_needed(message: str = "Two-factor code required; send it in the header Heroku-Two-Factor-Code.") -> Forbidden:
    """What says that a code is wanted: clients ask for one when they see its id."""
    return Forbidden(message, id="two_factor")


def plain(code: str) -> str:
    """A code as compared: without the blanks and dashes people type."""
    return "".join(letter for letter in code.lower() if letter.isalnum() and letter.isascii())[:64]
