"""Making an account."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from ..core.account import Account, checked_email, checked_password
from ..core.clock import Clock
from ..core.errors import Forbidden, Invalid, NotFound
from ..store.accounts import (
    count_accounts,
    create_account,
    find_account,
    invite,
    is_registration_open,
    lock_accounts,
    take_invitation,
    update_account,
)
from ..store.database import Database
from .authenticate import fresh_token, hash_password, hashed_token

_CLOSED = "Registration is closed on this platform; ask its operator for an invitation."


async def register(
    email: str, password: str, name: str | None, *, db: Database, clock: Clock, invitation: str | None = None, by_operator: bool = False
) -> Account:
    """The first account is the operator's; later ones need open registration, an invitation, or the operator's own hand.

    Raises: Forbidden when registration is closed, Invalid when the address is taken or badly formed.
    """
    email = checked_email(email)
    checked_password(password)
    async with db.reading() as tx:
        # Before the slow hash, which nobody may have us compute for nothing.
        may_ask = by_operator or invitation or await count_accounts(tx) == 0 or await is_registration_open(tx)
    if not may_ask:
        raise Forbidden(_CLOSED)
    password_hash = await hash_password(checked_password(password))
    now = clock.now()
    async with db.transaction() as tx:
        await lock_accounts(tx)
        is_first = await count_accounts(tx) == 0
        may = is_first or by_operator or await is_registration_open(tx)
        if not may and not (invitation and await take_invitation(tx, email, hashed_token(invitation))):
            raise Forbidden(_CLOSED)
        if await find_account(tx, email):
            raise Invalid(f"The address `{email}` already has an account; log in with `senryu login`.")
        account = Account(uuid4(), email, name, password_hash, is_first, now, now)
        await create_account(tx, account)
    return account


async def verify_account(email: str, *, is_verified: bool, db: Database, clock: Clock) -> Account:
    """Says whether the operator knows whose account it is. Raises: NotFound."""
    async with db.transaction() as tx:
        found = await find_account(tx, email)
        if found is None:
            raise NotFound(f"Couldn't find the account {email[:80]}.")
        account = replace(found, is_verified=is_verified, updated_at=clock.now())
        await update_account(tx, account)
    return account


async def invite_account(email: str, *, by: Account, db: Database, clock: Clock) -> str:
    """An invitation for an address; gives the code that registration asks for. Raises: Forbidden unless `by` is the operator."""
    if not by.is_operator:
        raise Forbidden("Only the operator of this platform may invite people.")
    token, _ = fresh_token()
    async with db.transaction() as tx:
        await invite(tx, checked_email(email), hashed_token(token), clock.now())
    return token
