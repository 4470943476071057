"""Dyno sizes: how much of the machine one dyno may use, what it costs, and the rules of the sizes that are cheap.

What stands here is what a new platform offers; its operator changes it (`senryu sizes:set`), and the database has the last word.
Source: https://devcenter.heroku.com/articles/dyno-types, /articles/dyno-scaling-and-process-limits, /articles/free-dyno-hours (2022),
/articles/eco-dyno-hours; schema `dyno-size`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from uuid import UUID, uuid5

from .errors import Forbidden, Invalid
from .limits import GIB, MIB

_NAMESPACE = UUID("a1f7e2ba-8b1c-4a55-93ab-6d1f0c6a51c8")
_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,30}\Z")
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "memory_bytes": (16 * MIB, 1024 * GIB),
    "cpu_shares": (2, 262_144),  # what control groups take
    "pids": (8, 4_194_304),
    "compute": (0, 10_000),
    "dyno_units": (0, 10_000),
    "price_cents": (0, 100_000_000),
    "sleeps_after_s": (0, 366 * 24 * 3600),
    "pool_hours": (0, 1_000_000),
    "verified_pool_hours": (0, 1_000_000),
    "per_type_max": (0, 100),
    "running_max": (0, 100),
    "one_offs_max": (0, 50),
}


@dataclass(frozen=True, slots=True)
class DynoSize:
    """A size as operators offer it. `memory_bytes` is the quota of R14; `cpu_shares` a weight (1024 = one share).

    `price_cents` is for a month: of one dyno, or with `pool_hours` of the account that uses any. `sleeps_after_s` without web traffic an
    app sleeps (0: never). `pool_hours` is what all its dynos of one account may run in a month (0: without end), `verified_pool_hours`
    the same of a verified one. `per_type_max`, `running_max` and `one_offs_max` are dynos of one process type, of one app, and one-off
    ones at once (0: as many as apps may have). `is_exclusive`: an app that has it has no other. `allowed` are ids of accounts and teams
    that may use it (None: everybody).
    """

    name: str
    memory_bytes: int
    cpu_shares: int
    pids: int
    compute: int
    dyno_units: int
    price_cents: int
    dedicated: bool = False
    sleeps_after_s: int = 0
    pool_hours: int = 0
    verified_pool_hours: int = 0
    per_type_max: int = 0
    running_max: int = 0
    one_offs_max: int = 0
    is_exclusive: bool = False
    is_offered: bool = True
    allowed: tuple[str, ...] | None = None

    @property
    def id(self) -> UUID:
        """Stable across machines, as the schema wants an id and sizes are named data."""
        return uuid5(_NAMESPACE, self.name)

    @property
    def key(self) -> str:
        """What it is known by: its name in lower case."""
        return self.name.lower()

    @property
    def is_pooled(self) -> bool:
        """Whether its dynos use up their account's hours of the month."""
        return self.pool_hours > 0

    def may_use(self, payer: UUID) -> bool:
        """Whether an account or team may have dynos of it."""
        return self.allowed is None or str(payer) in self.allowed

    def hours_of(self, *, is_verified: bool) -> int:
        """Hours a month of an account's pool."""
        return max(self.pool_hours, self.verified_pool_hours) if is_verified else self.pool_hours

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """With other numbers or switches. Raises: Invalid for what no size has, or a number out of bounds."""
        known = {field.name for field in fields(self)} - {"name", "allowed"}
        for key, value in changes.items():
            if key not in known:
                raise Invalid(f"A dyno size has no `{key[:40]}`; it has {', '.join(sorted(known))}.")
            least, most = _NUMBERS.get(key, (0, 1))
            if key in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most):
                raise Invalid(f"`{key}` must be a whole number from {least} to {most}.")
            if key not in _NUMBERS and not isinstance(value, bool):
                raise Invalid(f"`{key}` must be true or false.")
        return replace(self, **changes)


_CHEAP: Mapping[str, Any] = {"sleeps_after_s": 1800, "per_type_max": 1, "running_max": 2, "one_offs_max": 1, "is_exclusive": True}

SIZES: dict[str, DynoSize] = {
    size.key: size
    for size in (
        DynoSize("Free", 512 * MIB, 1024, 256, 1, 0, 0, pool_hours=550, verified_pool_hours=1000, **_CHEAP),
        DynoSize("Eco", 512 * MIB, 1024, 256, 1, 1, 500, pool_hours=1000, verified_pool_hours=1000, **_CHEAP),
        DynoSize("Basic", 512 * MIB, 1024, 256, 1, 1, 700, per_type_max=1, one_offs_max=3),
        DynoSize("Standard-1X", 512 * MIB, 1024, 256, 1, 1, 2500),
        DynoSize("Standard-2X", 1024 * MIB, 2048, 512, 2, 2, 5000),
        DynoSize("Performance-M", 2560 * MIB, 12288, 16384, 12, 8, 25000, dedicated=True),
        DynoSize("Performance-L", 14 * GIB, 51200, 32768, 50, 16, 50000, dedicated=True),
    )
}

DEFAULT = SIZES["standard-1x"]


def key_of(name: str) -> str:
    """What a size is known by, from what people type: any case, with or without `dyno-`, `1X`, `2X`, `hobby`."""
    key = name.strip().lower().removeprefix("dyno-")
    return {"1x": "standard-1x", "2x": "standard-2x", "hobby": "basic"}.get(key, key)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What this platform offers: `by_key`, and the key of the `default` of new process types (None: the setting's)."""

    by_key: Mapping[str, DynoSize]
    default: str | None = None

    def __iter__(self) -> Iterator[DynoSize]:
        return iter(self.by_key.values())

    def known(self, name: str) -> DynoSize:
        """A size that something has already, offered or not any more. Raises: Invalid."""
        found = self.by_key.get(key_of(name))
        if found is None:
            offered = ", ".join(size.name for size in self.by_key.values() if size.is_offered)
            raise Invalid(f"Couldn't find the dyno size `{name[:60]}`. Sizes are {offered}.")
        return found

    def named(self, name: str) -> DynoSize:
        """A size that may be chosen. Raises: Invalid, listing the sizes there are."""
        found = self.by_key.get(key_of(name))
        if found is None or not found.is_offered:
            offered = ", ".join(size.name for size in self.by_key.values() if size.is_offered)
            raise Invalid(f"Couldn't find the dyno size `{name[:60]}`. Sizes are {offered}.")
        return found

    def for_payer(self, name: str, payer: UUID) -> DynoSize:
        """As `named`. Raises: Forbidden when the operator keeps it for others."""
        found = self.named(name)
        if not found.may_use(payer):
            raise Forbidden(f"The dyno size {found.name} is not for this account; ask the operator of the platform, or use another.")
        return found

    def of_app(self, used: Iterable[str]) -> DynoSize | None:
        """The one size that an app keeps to, if what it uses allows no other beside it."""
        return next((size for name in used if (size := self.by_key.get(key_of(name))) is not None and size.is_exclusive), None)

    def default_of(self, setting: str) -> DynoSize:
        """What new process types get: the operator's choice, else the setting's."""
        return self.known(self.default or setting)


BUILT_IN = Sizes(SIZES)


def size_named(name: str) -> DynoSize:
    """The built-in size called `name`. Raises: Invalid, listing the sizes there are."""
    return BUILT_IN.named(name)


def checked_size_name(name: str) -> str:
    """The name of a new size. Raises: Invalid."""
    if not _NAME.match(name):
        raise Invalid(f"`{name[:60]}` is no name of a dyno size; use up to 31 letters, digits and hyphens, beginning with a letter.")
    return name


def check_together(sizes: Sizes, wanted: Mapping[str, tuple[int, str]]) -> None:
    """Whether one app may have process types (`web` → quantity, size) together. Raises: Invalid, in Heroku's words."""
    used = {name: sizes.known(size) for name, (_, size) in wanted.items()}
    kinds = {size.key: size for size in used.values()}
    if len(kinds) > 1 and any(size.is_exclusive for size in kinds.values()):
        names = [size.name for size in sorted(kinds.values(), key=lambda size: not size.is_exclusive)]
        raise Invalid(f"Cannot use the following dyno types in the same app: {', '.join(names[:-1])} and {names[-1]}")
    for name, (quantity, _) in wanted.items():
        size = used[name]
        if size.per_type_max and quantity > size.per_type_max:
            raise Invalid(f"Cannot update to more than {size.per_type_max} {size.name} size dynos per process type.")
    for size in kinds.values():
        total = sum(quantity for name, (quantity, _) in wanted.items() if used[name].key == size.key)
        if size.running_max and total > size.running_max:
            raise Invalid(f"Cannot run more than {size.running_max} {size.name} size dynos.")


def check_one_off(size: DynoSize, running: Iterable[str], one_offs: int) -> None:
    """Whether one more one-off dyno may run beside dynos of these sizes, `one_offs` of them one-off. Raises: Invalid, in Heroku's words."""
    if size.one_offs_max and one_offs >= size.one_offs_max:
        raise Invalid(f"Cannot run more than {size.one_offs_max} {size.name} size dynos.", id="cannot_run_above_limit")
    same = sum(1 for name in running if key_of(name) == size.key)
    if size.running_max and same >= size.running_max:
        raise Invalid(f"Cannot run more than {size.running_max} {size.name} size dynos.", id="cannot_run_above_limit")
