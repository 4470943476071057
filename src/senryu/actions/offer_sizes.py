"""What the operator says of dyno sizes: what they are, who may use them, which is the default.

Dynos that run keep what they were started with; the next one of the size gets what is said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from ..core.clock import Clock
from ..core.dyno_size import DynoSize, checked_size_name, key_of
from ..core.errors import Conflict, Invalid, NotFound
from ..core.limits import GIB
from ..store.accounts import find_account
from ..store.database import Database, Transaction
from ..store.dyno_sizes import list_sizes, set_default_size, set_size
from ..store.teams import find_team
from ..store.usage import first_beat, price_usage

_NEW = DynoSize("", GIB // 2, 1024, 256, 1, 1, 0)
SIZES_MAX = 100


async def offer_size(name: str, changes: Mapping[str, Any], *, db: Database, clock: Clock) -> DynoSize:
    """Changes a size, or makes one of that name, with `changes` of the fields of `DynoSize`. Raises: Invalid, Conflict."""
    async with db.transaction() as tx:
        sizes = await list_sizes(tx)
        known = sizes.by_key.get(key_of(name))
        if known is None and len(sizes.by_key) >= SIZES_MAX:
            raise Conflict(f"There are {SIZES_MAX} dyno sizes already; change one of those.")
        size = (known or replace(_NEW, name=checked_size_name(name))).changed(changes)
        if not size.is_offered and size.key == (sizes.default or ""):
            raise Conflict(f"{size.name} is the default size; make another one the default first.")
        await set_size(tx, size)
        await first_beat(tx, clock.boot(), clock.now())  # what the machine's end ended is not to end now
        await price_usage(tx, size.name, clock.now(), price_cents=size.price_cents, is_pooled=size.is_pooled)
    return size


async def offer_to(name: str, who: Sequence[str] | None, *, db: Database) -> DynoSize:
    """Keeps a size for accounts (by address) and teams (by name), or with None offers it to everybody. Raises: Invalid, NotFound."""
    async with db.transaction() as tx:
        size = (await list_sizes(tx)).known(name)
        allowed = None if who is None else tuple([str(await _payer(tx, each)) for each in who])
        changed = replace(size, allowed=allowed)
        await set_size(tx, changed)
    return changed


async def _payer(tx: Transaction, who: str) -> UUID:
    found = await find_account(tx, who) if "@" in who else await find_team(tx, who)
    if found is None:
        raise NotFound(f"Couldn't find the {'account' if '@' in who else 'team'} {who[:80]}.")
    return found.id


async def choose_default_size(name: str, *, db: Database) -> DynoSize:
    """What process types get from now on. Raises: Invalid."""
    async with db.transaction() as tx:
        size = (await list_sizes(tx)).named(name)
        if size.allowed is not None:
            raise Invalid(f"{size.name} is not for everybody, so it cannot be the default; offer it to everybody first.")
        await set_default_size(tx, size)
    return size
