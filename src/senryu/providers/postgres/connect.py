"""A superuser's connection to the server that tenants' databases are on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
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
    """Where the databases are."""

    async def reached(self) -> Reached:
        """Sees to it that the server runs. Raises: Unavailable."""


@asynccontextmanager
async def connected(server: Server, database: str = "postgres", *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[tuple[Any, Reached]]:
    """Bounded by `timeout_s` as a whole. Raises: Unavailable when the server does not answer or fails."""
    import asyncpg  # here, as it takes 10 MB of a platform that has no databases to supply

    reached = await server.reached()
    try:
        async with asyncio.timeout(timeout_s):
            admin = await asyncpg.connect(**{**reached.admin, "database": database}, timeout=TIMEOUT_S)
            try:
                await admin.execute("SET search_path = pg_catalog; SET default_transaction_read_only = off")
                yield admin, reached
            finally:
                await admin.close(timeout=TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"The PostgreSQL server of the platform failed ({type(error).__name__}); try again in a minute.") from error
