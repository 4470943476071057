"""What the door asks of the house: who may push to what, and what becomes of a pushed commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from senryu.core.account import Account

Output = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PushTarget:
    """An app that an account may push to, or fetch from."""

    app_id: UUID
    app_name: str
    account: Account


class Authorize(Protocol):
    """Decides whether someone may use an app's repository."""

    async def __call__(self, app_name: str, username: str, password: str, *, wants_push: bool) -> PushTarget:
        """Gives the app. `app_name` is a plain lower-case name; `password` the API token.

        Raises: Unauthorized for wrong credentials, NotFound when the account may not know of the app, Forbidden when it may not push.
        """


class Deploy(Protocol):
    """Makes a pushed commit live."""

    async def __call__(self, target: PushTarget, commit: str, source: AsyncIterator[bytes], output: Output) -> None:
        """Builds and releases; returns when the release is made.

        Takes: `commit`, hex; `source`, an uncompressed tar of its tree, at most limits.SOURCE_MAX_BYTES, to be read once;
        `output`, what the pusher is to see, as it comes.
        Raises: PlatformError, whose sentence the pusher sees; the push is then rejected and the branch stays where it was.
        """
