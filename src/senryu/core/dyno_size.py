"""Dyno sizes: how much of the machine one dyno may use.

Source: https://devcenter.heroku.com/articles/dyno-types, /articles/dyno-scaling-and-process-limits; schema `dyno-size`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from .errors import Invalid
from .limits import GIB, MIB

_NAMESPACE = UUID("a1f7e2ba-8b1c-4a55-93ab-6d1f0c6a51c8")


@dataclass(frozen=True, slots=True)
class DynoSize:
    """A size as operators offer it. `memory_bytes` is the quota of R14; `cpu_shares` a weight (1024 = one share)."""

    name: str
    memory_bytes: int
    cpu_shares: int
    pids: int
    compute: int
    dyno_units: int
    price_cents: int
    dedicated: bool = False

    @property
    def id(self) -> UUID:
        """Stable across machines, as the schema wants an id and sizes are named data."""
        return uuid5(_NAMESPACE, self.name)


SIZES: dict[str, DynoSize] = {
    size.name.lower(): size
    for size in (
        DynoSize("Eco", 512 * MIB, 1024, 256, 1, 1, 500),
        DynoSize("Basic", 512 * MIB, 1024, 256, 1, 1, 700),
        DynoSize("Standard-1X", 512 * MIB, 1024, 256, 1, 1, 2500),
        DynoSize("Standard-2X", 1024 * MIB, 2048, 512, 2, 2, 5000),
        DynoSize("Performance-M", 2560 * MIB, 12288, 16384, 12, 8, 25000, dedicated=True),
        DynoSize("Performance-L", 14 * GIB, 51200, 32768, 50, 16, 50000, dedicated=True),
    )
}

DEFAULT = SIZES["standard-1x"]


def size_named(name: str) -> DynoSize:
    """The size called `name`, in any case, with or without Heroku's `dyno-` prefix and `1X`/`2X` short forms.

    Raises: Invalid, listing the sizes there are.
    """
    key = name.strip().lower().removeprefix("dyno-")
    key = {"1x": "standard-1x", "2x": "standard-2x", "hobby": "basic"}.get(key, key)
    if key not in SIZES:
        names = ", ".join(size.name for size in SIZES.values())
        raise Invalid(f"Couldn't find the dyno size `{name}`. Sizes are {names}.")
    return SIZES[key]
