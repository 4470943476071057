"""A superuser's connection to the server that tenants' databases are on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ...core.errors import Unavailable

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How a server is reached: `admin` are asyncpg's connection arguments; dynos go to `host`:`port`."""

    admin: Mapping[str, Any]
    host: str
    port: int


class Server(Protocol):
    """Where the databases are. `last` is how it was reached the last time; nobody has looked since whether it runs."""

    @property
    def last(self) -> Reached | None:
        """None before the first time, and for one that is looked for each time."""

    async def reached(self) -> Reached:
        """Sees to it that the server runs. Raises: Unavailable."""


@asynccontextmanager
async def connected(server: Server, database: str = "postgres", *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[tuple[Any, Reached]]:
    """What is done with it is bounded by `timeout_s`. Raises: Unavailable when the server does not answer or fails."""
    import asyncpg  # here, as it takes 10 MB of a platform that has no databases to supply

    try:
        admin, reached = await _opened(server, database)
        try:
            async with asyncio.timeout(timeout_s):
                await admin.execute("SET search_path = pg_catalog; SET default_transaction_read_only = off")
                yield admin, reached
        finally:
            await admin.close(timeout=TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"The PostgreSQL server of the platform failed ({type(error).__name__}); try again in a minute.") from error


async def _opened(server: Server, database: str) -> tuple[Any, Reached]:
    """Where it was before, as asking whether it runs takes longer than connecting; else wherever it is then."""
    import asyncpg

    async def to(reached: Reached) -> tuple[Any, Reached]:
        return await asyncpg.connect(**{**reached.admin, "database": database}, timeout=TIMEOUT_S), reached

    if (last := server.last) is not None:
        with suppress(OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
            return await to(last)
    return await to(await server.reached())
