"""Second factors: begun, enabled by a first code, asked for at logins and where much is at stake, ended.

Source: RFC 6238; wire contract sections 3 and 4
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from ..core.account import Account
from ..core.attempts import Attempts
from ..core.clock import Clock
from ..core.errors import Invalid
from ..core.limits import TWO_FACTOR_PENDING_S
from ..core.two_factor import RECOVERY_CODES, STEP_S, TwoFactor, code_needed, plain
from ..store.accounts import find_account
from ..store.database import Database, Transaction
from ..store.two_factors import (
    count_recovery_codes,
    delete_two_factor,
    find_two_factor,
    set_recovery_codes,
    set_two_factor,
    use_recovery_code,
    use_step,
)
from ..store.vault import Vault

_ISSUER = "Senryu"
_WRONG = "The two-factor code is wrong, too old, or was used already; wait for the next one."
_log = structlog.get_logger("login")


@dataclass(frozen=True, slots=True)
class Guard:
    """What checking a code takes. `place` is where the try comes from (see core/attempts.py)."""

    db: Database
    vault: Vault
    clock: Clock
    attempts: Attempts
    place: str


def _step(moment: datetime) -> int:
    return int(moment.timestamp()) // STEP_S


def matching_step(seed: str, code: str, now: datetime) -> int | None:
    """The half minute whose code it is: this one, the one before, or the one after, as clocks differ. Takes the same time for any code."""
    import pyotp

    totp, found = pyotp.TOTP(seed), None
    for step in (_step(now) - 1, _step(now), _step(now) + 1):
        if hmac.compare_digest(totp.at(step * STEP_S).encode(), code.encode()):
            found = step
    return found


def hashed_code(code: str) -> str:
    """What is stored of a recovery code."""
    return hashlib.sha256(plain(code).encode()).hexdigest()


def _fresh_codes() -> list[str]:
    """Ten codes of 80 bits, such as `k3vq-…` in four groups."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    return ["-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)]


async def begin_two_factor(account: Account, *, db: Database, vault: Vault, clock: Clock) -> tuple[TwoFactor, str]:
    """A fresh seed, not asked for yet, and the address that authenticator apps read. Raises: Invalid when one is enabled already."""
    import pyotp

    now = clock.now()
    made = TwoFactor(account.id, pyotp.random_base32(), False, 0, now, now)
    async with db.transaction() as tx:
        found = await find_two_factor(tx, account.id, vault=vault)
        if found is not None and found.is_enabled:
            raise Invalid("Two-factor authentication is enabled already; disable it first to begin anew.")
        await set_two_factor(tx, made, vault=vault)
    return made, pyotp.TOTP(made.seed).provisioning_uri(name=account.email, issuer_name=_ISSUER)


async def enable_two_factor(account: Account, code: str, *, guard: Guard) -> list[str]:
    """Enables what was begun; gives the recovery codes, which are shown this once. Raises: Invalid, Forbidden for a wrong code."""
    now = guard.clock.now()
    guard.attempts.begin(_counted(account), guard.place, guard.clock.monotonic())
    codes = _fresh_codes()
    async with guard.db.transaction() as tx:
        found = await find_two_factor(tx, account.id, vault=guard.vault)
        if found is None or found.is_enabled or found.created_at + timedelta(seconds=TWO_FACTOR_PENDING_S) < now:
            raise Invalid("No second factor is being set up; begin with `senryu 2fa:enable`.")
        step = matching_step(found.seed, plain(code), now)
        if step is None:
            raise _refused(account, guard)
        await set_two_factor(tx, TwoFactor(account.id, found.seed, True, step, found.created_at, now), vault=guard.vault)
        await set_recovery_codes(tx, account.id, [hashed_code(each) for each in codes])
    guard.attempts.succeeded(_counted(account), guard.place)
    return codes


def _counted(account: Account) -> str:
    return f"code:{account.id}"


def _refused(account: Account, guard: Guard) -> Exception:
    failures = guard.attempts.count(_counted(account), guard.place)
    _log.warning("wrong two-factor code", account=str(account.id), address=guard.place, failures=failures)
    return code_needed(_WRONG)


async def check_code(account: Account, code: str | None, *, guard: Guard) -> None:
    """Lets accounts pass that have no second factor, or whose code it is: of the authenticator app, or a recovery code, used up by it.

    Raises: Forbidden (id `two_factor`) without a code or with a wrong one, RateLimited after many wrong ones.
    """
    async with guard.db.reading() as tx:
        found = await find_two_factor(tx, account.id, vault=guard.vault)
    if found is None or not found.is_enabled:
        return
    if not code:
        raise code_needed()
    guard.attempts.begin(_counted(account), guard.place, guard.clock.monotonic())
    async with guard.db.transaction() as tx:
        # A whole transaction of its own: a code is used also when what it was for fails afterwards.
        is_good = await _use(tx, account, found, plain(code), guard.clock.now())
    if not is_good:
        raise _refused(account, guard)
    guard.attempts.succeeded(_counted(account), guard.place)


async def _use(tx: Transaction, account: Account, factor: TwoFactor, code: str, now: datetime) -> bool:
    step = matching_step(factor.seed, code, now)
    if step is not None:
        return await use_step(tx, account.id, step)
    if not await use_recovery_code(tx, account.id, hashed_code(code)):
        return False
    _log.warning("recovery code used", account=str(account.id), left=await count_recovery_codes(tx, account.id))
    return True


async def renew_recovery_codes(account: Account, code: str | None, *, guard: Guard) -> list[str]:
    """Ten new codes in place of those there were. Raises: Invalid without a second factor, Forbidden without a code."""
    await _must_be_enabled(account, guard)
    await check_code(account, code, guard=guard)
    codes = _fresh_codes()
    async with guard.db.transaction() as tx:
        await set_recovery_codes(tx, account.id, [hashed_code(each) for each in codes])
    return codes


async def disable_two_factor(account: Account, code: str | None, *, guard: Guard) -> None:
    """Ends it. Raises: Invalid when there is none, Forbidden without a code."""
    await _must_be_enabled(account, guard)
    await check_code(account, code, guard=guard)
    async with guard.db.transaction() as tx:
        await delete_two_factor(tx, account.id)
    _log.warning("second factor disabled", account=str(account.id), address=guard.place)


async def reset_two_factor(email: str, *, db: Database) -> Account:
    """The operator's way for somebody who lost app and recovery codes. Raises: Invalid for an unknown address."""
    async with db.transaction() as tx:
        account = await find_account(tx, email)
        if account is None:
            raise Invalid(f"There is no account for {email[:80]}.")
        await delete_two_factor(tx, account.id)
    _log.warning("second factor reset by the operator", account=str(account.id))
    return account


async def _must_be_enabled(account: Account, guard: Guard) -> None:
    async with guard.db.reading() as tx:
        found = await find_two_factor(tx, account.id, vault=guard.vault)
    if found is None or not found.is_enabled:
        raise Invalid("Two-factor authentication is not enabled; begin with `senryu 2fa:enable`.")
