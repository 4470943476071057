"""Orders of certificates: what the platform asked an authority for, for which domain, and when it tries again.

Source: RFC 8555 (ACME); https://devcenter.heroku.com/articles/automated-certificate-management;
https://letsencrypt.org/docs/rate-limits (five failed validations of a name an hour).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol
from uuid import UUID

from . import limits
from .errors import PlatformError
from .sni_endpoint import SslCert, renew_at

CHALLENGE_PATH = "/.well-known/acme-challenge/"
_BACK_OFF_DOUBLES_MAX = 16


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an authority wants to see before it signs: `answer` at CHALLENGE_PATH + `token`, over plain HTTP at the domain."""

    token: str
    answer: str


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order as the authority knows it: its address, and what must be shown. Nothing to show when it already believes us."""

    url: str
    authorizations: tuple[Authorization, ...]


@dataclass(frozen=True, slots=True)
class CertificateOrder:
    """One domain's order. `placed` is None between tries; `next_try_at` is when the next is due; `failures` are those in a row."""

    domain_id: UUID
    placed: PlacedOrder | None
    failures: int
    next_try_at: datetime
    created_at: datetime
    updated_at: datetime


class Refused(PlatformError):
    """The authority will not sign this order; its message is the reason, for people."""

    id = "acm_failed"


class AccountUnknown(Refused):
    """The authority has forgotten our account; it is to be made again."""


class Authority(Protocol):
    """Signs certificates. Every call is bounded by limits.AUTHORITY_TIMEOUT_S and may be repeated after a crash.

    `account_key` and `key` are private keys in PEM. All raise Unavailable when the authority does not answer and Refused when it says no.
    """

    directory_url: str

    def new_key(self) -> str:
        """A private key for an account or a certificate."""

    async def register(self, account_key: str) -> str:
        """The account's address, made when there is none."""

    async def place(self, account_key: str, account_url: str, hostname: str, key: str) -> PlacedOrder:
        """Orders a certificate for one name."""

    async def advance(self, account_key: str, account_url: str, order_url: str, hostname: str, key: str) -> str | None:
        """Does whatever comes next for an order; the certificate chain in PEM once it is signed, None while it is not."""


class Certifying(Protocol):
    """Fetches certificates and has the router serve what the database says."""

    def wake(self) -> None:
        """Something about certificates has changed: look now."""


class Move(Enum):
    """What is to be done for a domain of an app with automatic certificates."""

    REST = "rest"
    PLACE = "place"
    ADVANCE = "advance"
    ABANDON = "abandon"


def next_move(hostname: str, order: CertificateOrder | None, ssl_cert: SslCert | None, now: datetime) -> Move:
    """What comes next. `ssl_cert` is the domain's certificate, when it has an automatic one.

    A wildcard cannot be shown over HTTP; it rests. An order that leads nowhere for CERTIFICATE_ORDER_S is abandoned: a failure.
    """
    if hostname.startswith("*."):
        return Move.REST
    if order is not None and order.placed is not None:
        is_stale = now - order.updated_at > timedelta(seconds=limits.CERTIFICATE_ORDER_S)
        return Move.ABANDON if is_stale else Move.ADVANCE
    if ssl_cert is not None and now < renew_at(ssl_cert):
        return Move.REST
    return Move.PLACE if order is None or now >= order.next_try_at else Move.REST


def back_off(failures: int, spread: float) -> timedelta:
    """How long to wait after so many failures in a row: 15 minutes, doubling to a day, and up to a tenth more.

    Takes: `spread`, a random number from 0 to 1: domains that failed together are not tried together.
    """
    doubled = limits.CERTIFICATE_RETRY_FIRST_S * 2 ** min(failures - 1, _BACK_OFF_DOUBLES_MAX)
    return timedelta(seconds=min(doubled, limits.CERTIFICATE_RETRY_MAX_S) * (1 + spread / 10))


def status_after(failures: int) -> str:
    """`failing` while it is tried often, then `failed` (and tried once a day)."""
    return "failing" if failures < limits.CERTIFICATE_FAILURES_MAX else "failed"


def answer_to(token: str, orders: Sequence[CertificateOrder]) -> str | None:
    """What is shown for a token; None for one that nobody waits for."""
    shown = (one for order in orders if order.placed for one in order.placed.authorizations)
    return next((one.answer for one in shown if one.token == token), None)
