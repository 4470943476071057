"""Takes a tenant's database out of the server and replaces it as a whole.

A restore goes into a database beside the tenant's, which takes its place in one transaction once it is complete: one that fails or is
interrupted changes nothing. Names follow from the transfer's id, so that what a crash left is found.

Source: PostgreSQL documentation, ALTER DATABASE, pg_db_role_setting.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from ...core.archive import NO_HISTORY, DatabaseAddress, History, Movable
from ...core.errors import Conflict, Invalid, Unavailable
from . import scram
from .connect import Reached, Server, connected
from .roles import TRUSTED, furnish, let_in, names

_PORT = 5432
_SCHEMA = re.compile(r"^[a-z_][a-z0-9_]{0,62}\Z")
_SWAP_TIMEOUT_S = 300.0  # removing a database writes all that is in the server's memory
_CLOSE_TRIES = 50
_CLOSE_PAUSE_S = 0.1
_FROM_OUTSIDE = "SELECT extname FROM pg_extension WHERE extname NOT IN ('plpgsql', 'pg_stat_statements') ORDER BY extname"


def room(transfer_id: UUID) -> tuple[str, str]:
    """Names of the database a transfer fills, and of the one it replaced while that is still there: `x…`, `y…`."""
    digest = hashlib.sha256(transfer_id.bytes).hexdigest()
    return f"x{digest[:16]}", f"y{digest[:16]}"


class PostgresMoving:
    """See Movable."""

    def __init__(self, server: Server, history: History | None = None) -> None:
        self._server, self._history = server, history

    async def address(self, url: str) -> DatabaseAddress:
        """See Movable."""
        parts = urlsplit(url)
        if not parts.username or not parts.password or not parts.path.strip("/"):
            raise Invalid("The database's address is not complete; it is like postgres://user:password@host:5432/database.")
        reached = await self._server.reached()
        is_own = str(reached.admin["host"]).startswith("/")
        host, port = ("", reached.admin["port"]) if is_own else (parts.hostname or "", parts.port or _PORT)
        return DatabaseAddress(host, port, unquote(parts.path.strip("/")), unquote(parts.username), unquote(parts.password))

    async def measured(self, id: UUID) -> tuple[int, Sequence[str]]:
        """See Movable."""
        database, _ = names(id)
        async with connected(self._server, database) as (inside, _reached):
            size = await inside.fetchval("SELECT pg_database_size(current_database())")
            return int(size), [row["extname"] for row in await inside.fetch(_FROM_OUTSIDE)]

    async def make_room(self, id: UUID, transfer_id: UUID, address: DatabaseAddress, extensions: Sequence[str]) -> DatabaseAddress:
        """See Movable."""
        (database, role), (fresh, _) = names(id), room(transfer_id)
        async with connected(self._server) as (admin, _reached):
            await admin.execute(f"DROP DATABASE IF EXISTS {fresh} WITH (FORCE)")
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
                raise Unavailable("The database of this add-on is not there; destroy the add-on and restore into a new one.")
            limit = await admin.fetchval("SELECT rolconnlimit FROM pg_roles WHERE rolname = $1", role)
            await admin.execute(f"CREATE DATABASE {fresh} CONNECTION LIMIT {limit}")
            await let_in(admin, fresh, database, role)
        async with connected(self._server, fresh) as (inside, _reached):
            await furnish(inside, role)
            await _install(inside, role, extensions)
        return DatabaseAddress(address.host, address.port, fresh, address.user, address.password)

    async def room_bytes(self, transfer_id: UUID) -> int:
        """See Movable."""
        async with connected(self._server) as (admin, _reached):
            return int(await admin.fetchval("SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1", room(transfer_id)[0]) or 0)

    @property
    def keeps_history(self) -> bool:
        """See Movable."""
        return self._history is not None

    async def rewound(self, id: UUID, transfer_id: UUID, at: datetime) -> DatabaseAddress:
        """See Movable."""
        if self._history is None:
            raise Invalid(NO_HISTORY)
        database, role = names(id)
        password = secrets.token_hex(32)
        async with connected(self._server) as (admin, reached):
            # The log is replayed to the last end of a transaction before that time, and must have one behind it.
            await admin.execute("CREATE TABLE IF NOT EXISTS public.senryu_moments (at timestamptz); TRUNCATE public.senryu_moments")
        sockets = await self._history.rewind(transfer_id, at, database)
        beside = Reached({**reached.admin, "host": sockets}, "", reached.port)
        async with connected(_There(beside)) as (admin, _):
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
                raise Invalid("The database was not there at that time; choose a later one.")
            secret = scram.verifier(password, secrets.token_bytes(16))
            await admin.execute(f"ALTER ROLE {role} LOGIN CONNECTION LIMIT -1 PASSWORD '{secret}'")
            await admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true CONNECTION LIMIT -1")
        return DatabaseAddress("", reached.port, database, role, password, rewound=transfer_id)

    async def keep_history(self, days: int) -> None:
        """See Movable."""
        if self._history is not None:
            await self._history.keep(days)

    async def history_bytes(self) -> int:
        """See Movable."""
        return await self._history.used_bytes() if self._history is not None else 0

    async def put_in_place(self, id: UUID, transfer_id: UUID) -> None:
        """See Movable."""
        (database, _), (fresh, former) = names(id), room(transfer_id)
        async with connected(self._server, timeout_s=_SWAP_TIMEOUT_S) as (admin, _reached):
            await _keep_settings(admin, database, fresh)
            await admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            try:
                for name in (database, fresh):
                    await _close(admin, name)
                async with admin.transaction():
                    await admin.execute(f"ALTER DATABASE {database} RENAME TO {former}")
                    await admin.execute(f"ALTER DATABASE {fresh} RENAME TO {database}")
            finally:
                await admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    async def tidy(self, id: UUID, transfer_id: UUID) -> None:
        """See Movable."""
        database, _ = names(id)
        async with connected(self._server, timeout_s=_SWAP_TIMEOUT_S) as (admin, _reached):
            for name in room(transfer_id):
                await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            if await admin.fetchval("SELECT NOT datallowconn FROM pg_database WHERE datname = $1", database):
                await admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        if self._history is not None:
            await self._history.forget(transfer_id)


@dataclass(frozen=True)
class _There:
    """A server that runs."""

    where: Reached
    last = None

    async def reached(self) -> Reached:
        """See Server."""
        return self.where


async def _install(inside: Any, role: str, extensions: Sequence[str]) -> None:
    """As the tenant. Raises: Invalid for one that tenants may not have."""
    allowed = {row["name"] for row in await inside.fetch(TRUSTED)}
    async with inside.transaction():
        await inside.execute(f"SET LOCAL ROLE {role}")
        for wanted in extensions:
            schema, _, name = wanted.rpartition(".")
            if name not in allowed or not _SCHEMA.match(schema or "public"):
                raise Invalid(f"There is no extension {wanted[:80]} for tenants; `pg:extensions` lists those there are.")
            await inside.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema or "public"}"')
            await inside.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}" WITH SCHEMA "{schema or "public"}" CASCADE')


async def _keep_settings(admin: Any, database: str, fresh: str) -> None:
    """What was set for the database, for all roles or one, holds for the new one too; not that it was closed for being too large."""
    async with admin.transaction():
        await admin.execute("DELETE FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1)", fresh)
        await admin.execute(
            "INSERT INTO pg_db_role_setting SELECT n.oid, s.setrole, array_remove(s.setconfig, 'default_transaction_read_only=on')"
            " FROM pg_db_role_setting s JOIN pg_database o ON o.oid = s.setdatabase AND o.datname = $1, pg_database n"
            " WHERE n.datname = $2",
            database,
            fresh,
        )


async def _close(admin: Any, database: str) -> None:
    """Cuts every connection. Raises: Conflict when one does not go."""
    for _ in range(_CLOSE_TRIES):
        left = await admin.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
        if not left:
            return
        await asyncio.sleep(_CLOSE_PAUSE_S)
    raise Conflict("Connections to the database do not end; try again.")


_: type[Movable] = PostgresMoving
