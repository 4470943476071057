"""Databases that follow another: the same database, to be read only, on a copy of the server.

Source: https://devcenter.heroku.com/articles/heroku-postgres-follower-databases
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from .add_on import AddOn, AddOnService, AddOnState, Plan
from .database import Databases
from .errors import Conflict, Invalid

REFUSED = "The databases of this platform are on a server of its owner's, which is not followed; use --fork for a copy as of now."


class Following(Protocol):
    """The copy of the server that followers are on. There is none while nobody asks for it."""

    @property
    def databases(self) -> Databases:
        """Leaders as they are there, by their own ids; to be looked at only."""

    async def behind(self) -> float | None:
        """How many seconds ago what it shows was so; None when it is being made. Raises: Unavailable."""

    async def end(self) -> None:
        """Takes it away. May be repeated. Raises: Unavailable."""

    async def used_bytes(self) -> int:
        """What it takes on disk. Raises: Unavailable."""


def check_can_follow(leader: AddOn, service: AddOnService, wanted: AddOnService, plan: Plan) -> None:
    """Whether a new database of `plan` may follow `leader`. Raises: Invalid, Conflict."""
    if leader.service != wanted.name or service.name != wanted.name:
        raise Invalid("Only a database can be followed, by a database.")
    if leader.state is not AddOnState.PROVISIONED:
        raise Conflict(f"{leader.name} is {leader.state.value}; wait until it is provisioned.")
    if leader.follows is not None:
        raise Invalid(f"{leader.name} is a follower itself; follow its leader.")
    of = service.plan(leader.plan)
    if not of.limits["rollback_days"] or not plan.limits["rollback_days"]:
        raise Invalid("Only a database of a standard plan can be followed, by one of a standard plan.")
    if plan.limits["bytes"] < of.limits["bytes"]:
        raise Invalid(f"{plan.name} has less room than {of.name}, the plan of {leader.name}; choose at least that.")


def check_stays(leader: AddOn, followers: Sequence[AddOn]) -> None:
    """Whether a leader may go. Raises: Conflict while it is followed."""
    if followers:
        names = ", ".join(sorted(follower.name for follower in followers))
        raise Conflict(f"{leader.name} is followed by {names}; unfollow or destroy that first, or use --force, which destroys both.")


def check_is_own(add_on: AddOn) -> None:
    """Whether a database is its own to be changed. Raises: Conflict for a follower."""
    if add_on.follows is not None:
        raise Conflict(f"{add_on.name} follows another database and can only be read; do that with its leader, or run `pg:unfollow` first.")


def follower_url(leader_url: str, host: str, port: int) -> str:
    """The leader's database and credential on another server."""
    parts = urlsplit(leader_url)
    return f"postgres://{parts.netloc.rpartition('@')[0]}@{host}:{port}{parts.path}"


def followed_anew(leader_url: str, follower_url_before: str) -> str:
    """The URL of a follower whose leader has another one now."""
    parts = urlsplit(follower_url_before)
    return follower_url(leader_url, parts.hostname or "", parts.port or 0)


def behind_text(seconds: float | None) -> str:
    """As `pg:info` says it."""
    return "being made" if seconds is None else f"{seconds:.0f} s"
