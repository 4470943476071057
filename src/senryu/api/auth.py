"""Who is calling, how often they may, and which app they mean.

Source: https://devcenter.heroku.com/articles/platform-api-reference#authentication, #rate-limits
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from starlette.requests import Request

from ..actions.access import app_for
from ..actions.authenticate import authenticate
from ..actions.two_factor import Guard
from ..core.account import Account, Authorization
from ..core.app import App
from ..core.attempts import place_of
from ..core.errors import Forbidden, RateLimited, Unauthorized
from ..core.limits import API_CALLS_PER_HOUR
from ..core.permission import Permission, needed
from ..platform import Platform
from .asked import Depends


@dataclass(frozen=True, slots=True)
class Caller:
    """An account with the token it came with."""

    account: Account
    authorization: Authorization


class Allowance:
    """How many calls each token has left: a bucket that refills evenly over an hour. Bounded; full buckets are forgotten."""

    def __init__(self, most: int = 10_000) -> None:
        self._used: dict[str, tuple[float, float]] = {}
        self._most = most

    def take(self, key: str, now_s: float) -> int:
        """Takes one call; gives what is left, -1 when there was none."""
        used, at = self._used.pop(key, (0.0, now_s))
        used = max(0.0, used - (now_s - at) * API_CALLS_PER_HOUR / 3600.0)
        is_over = used + 1 > API_CALLS_PER_HOUR
        self._used[key] = (used if is_over else used + 1, now_s)
        while len(self._used) > self._most:
            del self._used[next(iter(self._used))]
        return -1 if is_over else int(API_CALLS_PER_HOUR - used - 1)

    def left(self, key: str, now_s: float) -> int:
        """What is left, taking nothing."""
        used, at = self._used.get(key, (0.0, now_s))
        return int(API_CALLS_PER_HOUR - max(0.0, used - (now_s - at) * API_CALLS_PER_HOUR / 3600.0))


def place(request: Request) -> str:
    """Where a request comes from, as guesses are counted: the address the router saw, which it adds behind those a client may make up."""
    return place_of(request.headers.get("x-forwarded-for", "").rpartition(",")[2])


def guard_of(request: Request) -> Guard:
    """What checking a second factor takes."""
    platform = platform_of(request)
    return Guard(platform.db, platform.vault, platform.clock, request.app.state.attempts, place(request))


def platform_of(request: Request) -> Platform:
    """The collaborators."""
    return cast(Platform, request.app.state.platform)


def credentials(header: str) -> tuple[str, str]:
    """User and password (or token) of an Authorization header: `Bearer TOKEN` gives ("", TOKEN). Raises: Unauthorized."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return "", rest.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except ValueError:  # no base64, no ASCII, no UTF-8
            user, password = "", ""
        if password or user:
            return user, password
    raise Unauthorized("There were no credentials in your `Authorization` header. Try `Authorization: Bearer <OAuth access token>`.")


async def caller(request: Request) -> Caller:
    """The account behind the request's token. Raises: Unauthorized, RateLimited above 4,500 calls an hour, Forbidden beyond its scope."""
    platform = platform_of(request)
    user, password = credentials(request.headers.get("authorization", ""))
    account, authorization = await authenticate(password or user, db=platform.db, clock=platform.clock)
    allowance: Allowance = request.app.state.allowance
    left = allowance.take(authorization.token_hash, platform.clock.monotonic())
    request.state.calls_left = max(left, 0)
    if left < 0:
        raise RateLimited("Your account has reached the API rate limit; please wait a few minutes before making new requests.")
    if not permits(authorization.scope, request.method, request.url.path):
        raise Forbidden(f"This token's scope ({', '.join(authorization.scope)}) does not allow this; use one with a wider scope.")
    return Caller(account, authorization)


def permits(scope: Sequence[str], method: str, path: str) -> bool:
    """Whether a token's scope reaches as far as a call. `read` and `write` keep out of config vars, releases and what could print them.

    Source: https://devcenter.heroku.com/articles/oauth#scopes
    """
    own = next((each.removeprefix("addon:") for each in scope if each.startswith("addon:")), None)
    if own is not None:  # a partner's, for one add-on
        return (path + "/").startswith(f"/addons/{own}/") or path == "/oauth/sessions/~"
    if "global" in scope or path == "/oauth/sessions/~":
        return True
    reads = method in ("GET", "HEAD") or path == "/filters/apps"
    if path in ("/account", "/users/~"):
        return reads
    if path.startswith(("/account/", "/oauth/", "/senryu/")):
        return False
    parts = path.split("/")
    runs = ("dynos" in parts and method == "POST") or (parts[3:4] == ["scheduler"] and not reads)
    is_protected = "config-vars" in parts or "releases" in parts or runs or _shows_passwords(path, reads=reads)
    enough = {"write-protected"} | ({"read-protected"} if reads else set()) | (set() if is_protected else {"write"})
    if reads and not is_protected:
        enough.add("read")
    return bool(enough & set(scope))


def _shows_passwords(path: str, *, reads: bool) -> bool:
    """Calls of the data API that give or change what config vars have."""
    is_shown = path.startswith("/client/v11/databases/") and (reads or path.endswith("/wires"))
    hands_out = path.startswith("/client/v11/") and path.endswith(("/actions/public-url", "/transfers")) and not reads
    return is_shown or hands_out or path.startswith(("/redis/", "/postgres/", "/reports"))


CallerDep = Annotated[Caller, Depends(caller)]
PlatformDep = Annotated[Platform, Depends(platform_of)]


async def member_app(app: str, request: Request, caller: CallerDep, platform: PlatformDep) -> App:
    """The app in the path, for those who have the permission the call needs. Raises: NotFound, Forbidden."""
    needs = needed(request.method, request.url.path)
    key = ("app", caller.account.id, app, needs)
    return await platform.db.remembered(key, lambda tx: app_for(tx, caller.account, app, needs=needs))


async def owned_app(app: str, caller: CallerDep, platform: PlatformDep) -> App:
    """The app in the path, for those who manage it: its owner alone, or a team's admins. Raises: NotFound, Forbidden."""
    async with platform.db.reading() as tx:
        return await app_for(tx, caller.account, app, needs=Permission.MANAGE)


async def operator(caller: CallerDep) -> Caller:
    """The operator. Raises: Forbidden for others."""
    if not caller.account.is_operator:
        raise Forbidden("Only the operator of this platform may do this.")
    return caller


AppDep = Annotated[App, Depends(member_app)]
OwnedAppDep = Annotated[App, Depends(owned_app)]
OperatorDep = Annotated[Caller, Depends(operator)]
