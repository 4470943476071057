"""Importing a stack: a system of the operator's own for dynos and builds to run on."""

from __future__ import annotations

from uuid import uuid4

from ..core.clock import Clock
from ..core.dyno import Engine
from ..core.errors import Invalid
from ..core.stack import HOST, Stack, stack_name
from ..store.database import Database
from ..store.stacks import set_stack


async def import_stack(name: str, source: str, *, db: Database, engine: Engine, clock: Clock) -> Stack:
    """Has the engine unpack `source` (directory, tarball or OCI image reference) and notes the stack.

    Raises: Invalid for a bad name, `host`, or a source that cannot be taken.
    """
    if stack_name(name) == HOST:
        raise Invalid(f"`{HOST}` is the machine's own system and cannot be replaced; choose another name.")
    await engine.import_stack(name, source)
    now = clock.now()
    stack = Stack(uuid4(), name, "public", False, source, now, now)
    async with db.transaction() as tx:
        await set_stack(tx, stack)
    return stack
