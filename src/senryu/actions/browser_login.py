"""Logging a command line in through a browser: it asks, the person answers on a page, it gets its token.

Source: wire contract section 4; RFC 8628 is the same idea with another form.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass, field

from ..core.account import Account
from ..core.clock import Clock
from ..core.errors import NotFound, RateLimited
from ..core.limits import LOGIN_WAIT_S, LOGINS_WAITING_MAX
from ..store.database import Database
from .authenticate import authorize, hashed_token

_LASTS_S = 30 * 24 * 3600.0
_GONE = "This login has ended or expired; start it again on the command line."


@dataclass(slots=True)
class _Waiting:
    description: str
    address: str
    token_hash: str
    begun_s: float
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)
    access_token: str = ""
    error: str = ""


class BrowserLogins:
    """Logins under way. Bounded; lost when the platform restarts, as nobody is harmed by logging in again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def begin(self, description: str, address: str) -> tuple[str, str]:
        """A new login: its id (in the page's address) and the token that fetches the outcome. Raises: RateLimited."""
        now = self._clock.monotonic()
        for id in [id for id, login in self._waiting.items() if login.begun_s + LOGIN_WAIT_S < now]:
            self._waiting.pop(id).is_answered.set()
        if len(self._waiting) >= LOGINS_WAITING_MAX:
            raise RateLimited("Too many logins are under way; try again in some minutes.")
        id, token = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
        self._waiting[id] = _Waiting(description[:255], address[:64], hashed_token(token), now)
        return id, token

    def _login(self, id: str) -> _Waiting:
        login = self._waiting.get(id)
        if login is None or login.begun_s + LOGIN_WAIT_S < self._clock.monotonic():
            raise NotFound(_GONE)
        return login

    def asked_by(self, id: str) -> tuple[str, str]:
        """What the page shows of a login: its description and the address it was asked for from. Raises: NotFound."""
        login = self._login(id)
        if login.is_answered.is_set():
            raise NotFound(_GONE)
        return login.description, login.address

    def check(self, id: str, token: str) -> None:
        """Raises: NotFound unless the token is the one that was given out with the id."""
        if not hmac.compare_digest(self._login(id).token_hash, hashed_token(token)):
            raise NotFound(_GONE)

    async def allow(self, id: str, account: Account, *, db: Database) -> None:
        """Gives the command line a token of the account. Raises: NotFound when it has been answered already."""
        self.asked_by(id)
        login = self._login(id)
        login.is_answered.set()  # before waiting, so that two answers never make two tokens
        async with db.transaction() as tx:
            _, token = await authorize(account, tx, clock=self._clock, description=login.description, expires_in_s=_LASTS_S)
        login.access_token = token  # not before it is committed: the command line uses it at once

    def refuse(self, id: str) -> None:
        """Tells the command line that the person does not want it. Raises: NotFound."""
        self.asked_by(id)
        login = self._login(id)
        login.error = "The login was refused in the browser."
        login.is_answered.set()

    async def outcome(self, id: str, within_s: float) -> dict[str, str] | None:
        """`{"access_token": …}` or `{"error": …}` once there is one, which ends the login; None when there is none yet."""
        try:
            login = self._login(id)
        except NotFound as problem:
            return {"error": problem.message}
        if not login.is_answered.is_set():
            try:
                await asyncio.wait_for(login.is_answered.wait(), within_s)
            except TimeoutError:
                return None
        if not login.access_token and not login.error:
            await asyncio.sleep(0.05)  # the token is being stored
            return None
        self._waiting.pop(id, None)
        return {"access_token": login.access_token} if login.access_token else {"error": login.error}
