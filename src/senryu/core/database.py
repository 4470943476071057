"""Databases of tenants: what they may use, what becomes of one that uses more, and what can be done with one.

Source: https://devcenter.heroku.com/articles/heroku-postgresql, /articles/heroku-postgresql-credentials, /articles/heroku-postgres-plans
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from .add_on import Plan
from .errors import Invalid

SERVICE_NAME = "heroku-postgresql"
DEFAULT = "default"
_CREDENTIAL = re.compile(r"^[a-z][a-z0-9_-]{0,49}\Z")
_EXTENSION = re.compile(r"^[a-z][a-z0-9_-]{0,62}\Z")
# How far a database may grow after its writing was stopped; only somebody who switches writing on again gets there.
_SLACK_BYTES, _SLACK_PART = 64 * 1024 * 1024, 20


class Access(StrEnum):
    """What a database's tenant may do: everything; read, and delete when he says so; nothing."""

    OPEN = "open"
    READ_ONLY = "read_only"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Usage:
    """What an add-on uses now. `connections_max` is what its server lets in."""

    bytes: int
    connections: int
    connections_max: int
    access: Access = Access.OPEN


@dataclass(frozen=True, slots=True)
class Look:
    """A database seen closely."""

    usage: Usage
    version: str
    tables: int
    host: str
    port: int
    database: str
    roles: Mapping[str, int]  # connections by role


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a diagnosis: `status` is `green`, `yellow` or `red`; `rows` what was found."""

    name: str
    status: str
    rows: Sequence[Mapping[str, str]]


class CredentialState(StrEnum):
    """Of one credential. Those in between are gone on with after a crash."""

    CREATING = "creating"
    ACTIVE = "active"
    ROTATING = "rotating"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Credential:
    """A way into a database. `config` is what apps attached by it get; `password` the next one while it is made or rotated.

    The default one is in the add-on itself; it has a row only while it is being rotated.
    """

    id: UUID
    add_on_id: UUID
    name: str
    state: CredentialState
    created_at: datetime
    updated_at: datetime
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    password: str = field(default="", repr=False)


class Databases(Protocol):
    """What can be done with databases that were provisioned. Calls may be repeated, with the effect of one. Each raises Unavailable."""

    async def usage(self, ids: Sequence[UUID]) -> Mapping[UUID, Usage]:
        """What each uses; those that are not there are left out."""

    async def look(self, id: UUID) -> Look:
        """One seen closely. Raises: NotFound."""

    async def allow(self, id: UUID, plan: Plan, access: Access) -> None:
        """Says what the tenant may do from now on; less than before ends his connections."""

    async def end_hogs(self, ids: Mapping[UUID, Plan]) -> Mapping[UUID, int]:
        """Ends statements that run longer than their plan lets them and sessions with too many locks; gives how many of each database."""

    async def room(self) -> int:
        """How many connections the server has for all databases together."""

    async def limit_connections(self, id: UUID, most: int) -> int:
        """Lets a database hold so many from now on; the newest above that are ended, idle ones first. Gives how many."""

    async def reset(self, id: UUID, plan: Plan, extensions: Sequence[str]) -> None:
        """Takes all that is in it away, at once or not at all. Raises: Invalid for extensions that tenants may not have."""

    async def end_connections(self, id: UUID, credential: str | None = None) -> int:
        """Ends those of one credential, or all; gives how many."""

    async def reset_statistics(self, id: UUID) -> None:
        """Counts from 0 again."""

    async def set_credential(self, id: UUID, plan: Plan, name: str, password: str) -> Mapping[str, str]:
        """Makes a credential, or gives one that there is this password; gives its config."""

    async def drop_credential(self, id: UUID, name: str) -> None:
        """Takes it away; what it owned is the default one's."""

    async def repair_default(self, id: UUID) -> None:
        """The default credential owns everything again."""

    def role(self, id: UUID, credential: str) -> str:
        """The name by which a credential logs in."""

    async def settings(self, id: UUID) -> Mapping[str, str]:
        """The settings a tenant may see, by name."""

    async def set(self, id: UUID, name: str, value: str) -> None:
        """Changes a setting for future connections. Raises: Invalid."""

    async def diagnose(self, id: UUID, plan: Plan) -> Sequence[Finding]:
        """Looks for what usually is wrong."""


def judge(usage: Usage, plan: Plan, stopped_at: int | None) -> Access:
    """What a database's tenant may do, by its size now and when writing was stopped. Pure.

    Above its plan it is read only. One that goes on growing then, because somebody switched that off, is locked until
    it is reset or its plan changes.
    """
    limit = plan.limits["bytes"]
    if usage.bytes <= limit:
        return Access.OPEN
    if usage.access is Access.OPEN:
        return Access.READ_ONLY
    if stopped_at is not None and usage.bytes > stopped_at + _SLACK_BYTES + limit // _SLACK_PART:
        return Access.LOCKED
    return usage.access


def is_filling(before: int | None, usage: Usage, plan: Plan) -> bool:
    """Whether it should be looked at more often: it is nearly full, or would be after ten more looks like the last. Pure."""
    left = plan.limits["bytes"] - usage.bytes
    grown = usage.bytes - before if before is not None else 0
    return left < plan.limits["bytes"] // 10 or grown * 10 > left


def status_of(usage: Usage) -> str:
    """As `pg:info` says it."""
    return {
        Access.OPEN: "Available",
        Access.READ_ONLY: "Read-only (over the plan's size: delete data or upgrade)",
        Access.LOCKED: "Locked (over the plan's size: upgrade or reset)",
    }[usage.access]


def checked_credential_name(name: str) -> str:
    """Raises: Invalid."""
    if not _CREDENTIAL.match(name) or name == DEFAULT:
        raise Invalid(f"`{name[:60]}` is no credential name; use up to 50 lower-case letters, digits, - and _, beginning with a letter.")
    return name


def checked_extensions(names: Sequence[object]) -> list[str]:
    """Raises: Invalid for what cannot be the name of one."""
    found = [name for name in names if isinstance(name, str) and _EXTENSION.match(name)]
    if len(found) != len(names) or len(found) > 50:
        raise Invalid("`extensions` must be a list of at most 50 names of extensions.")
    return found


def namespace(credential: str) -> str | None:
    """How an attachment names its credential; the default one has none."""
    return None if credential == DEFAULT else f"credential:{credential}"


def credential_in(wanted: str | None) -> str:
    """The credential of an attachment's namespace. Raises: Invalid for a namespace of another kind."""
    if wanted is None:
        return DEFAULT
    kind, separator, name = wanted.partition(":")
    if kind != "credential" or not separator:
        raise Invalid(f"There is no namespace `{wanted[:60]}`; credentials are `credential:NAME`.")
    return name


def pretty(size: int) -> str:
    """`7.5 MB`: as `pg:info` writes sizes."""
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"
        value /= 1024
    return ""
