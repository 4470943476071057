"""Who is asking: passwords and tokens.

Source: https://devcenter.heroku.com/articles/oauth; RFC 9106 (argon2id).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..core.account import Account, Authorization
from ..core.attempts import Attempts
from ..core.clock import Clock
from ..core.errors import RateLimited, Unauthorized
from ..store.accounts import find_account, update_account
from ..store.authorizations import create_authorization, find_by_token
from ..store.database import Database, Transaction

_HASHER = PasswordHasher()
# What an unknown address is checked against, so that it takes as long as a known one.
_NOBODY = _HASHER.hash(secrets.token_hex(16))
_PREFIX = "HRKU-"
# Each hash takes 64 MiB and a core for tens of milliseconds: so many at once, whoever asks.
_THREADS = ThreadPoolExecutor(2, "passwords")
_Done = TypeVar("_Done")
_log = structlog.get_logger("login")


def hashed_token(token: str) -> str:
    """What is stored of a token: its SHA-256. Tokens are random, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def fresh_token() -> tuple[str, str]:
    """A new token and how lists show it."""
    token = _PREFIX + secrets.token_urlsafe(32)
    return token, f"{token[:9]}{'*' * 10}{token[-4:]}"


async def hash_password(password: str) -> str:
    """The argon2id hash; off the event loop, as it takes tens of milliseconds."""
    return await _hashing(_HASHER.hash, password)


async def _hashing(work: Callable[..., _Done], *given: str) -> _Done:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(work, *given))


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def check_password(email: str, password: str, *, place: str, db: Database, clock: Clock, attempts: Attempts) -> Account:
    """The account of an address and password; `place` is where the try comes from (see core/attempts.py).

    Raises: Unauthorized, the same for a wrong password and an unknown address, after the same work; RateLimited after many failures.
    """
    key = email.strip().lower()[:254]
    try:
        attempts.begin(key, place, clock.monotonic())
    except RateLimited:
        _log.warning("login slowed", address=place, failures=attempts.count(key, place))
        raise
    async with db.reading() as tx:
        account = await find_account(tx, key)
    is_right = await _hashing(_verify, account.password_hash if account else _NOBODY, password)
    if account is None or not is_right:
        # Not the address that was typed: people type passwords there.
        who = str(account.id) if account else "unknown"
        _log.warning("login failed", account=who, address=place, failures=attempts.count(key, place))
        raise Unauthorized("Invalid credentials provided: the e-mail address or the password is wrong.")
    attempts.succeeded(key, place)
    async with db.transaction() as tx:
        # Read again: verifying takes long enough for the password to be changed meanwhile, and that change must stay.
        account = await find_account(tx, account.id) or account
        await update_account(tx, replace(account, last_login=clock.now()))
    return account


async def authenticate(token: str, *, db: Database, clock: Clock) -> tuple[Account, Authorization]:
    """Whose token it is. Raises: Unauthorized when it is nobody's or has expired."""
    key = hashed_token(token)
    found = await db.remembered(("token", key), lambda tx: find_by_token(tx, key))
    if found is not None and not hmac.compare_digest(found[0].token_hash, key):
        found = None
    if found is None or (found[0].expires_at is not None and found[0].expires_at <= clock.now()):
        raise Unauthorized("Invalid credentials provided. Log in again with `senryu login`.")
    return found[1], found[0]


async def authorize(
    account: Account,
    tx: Transaction,
    *,
    clock: Clock,
    description: str,
    scope: tuple[str, ...] = ("global",),
    expires_in_s: float | None = None,
) -> tuple[Authorization, str]:
    """A new token for an account and its record; the token is shown this once."""
    token, masked = fresh_token()
    now = clock.now()
    expires_at = now + timedelta(seconds=expires_in_s) if expires_in_s else None
    made = Authorization(uuid4(), account.id, description[:255], scope, hashed_token(token), masked, now, now, expires_at)
    await create_authorization(tx, made)
    return made, token
