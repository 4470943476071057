"""The database: connections, transactions and their rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ..core.errors import Conflict, Unavailable

Transaction = AsyncConnection

_POOL_SIZE = 8
_SILENT = "The platform's database does not answer; try again in a moment."
_FULL = "The platform's disk is full, so nothing can be changed; its operator must free disk space."
_MET = ("40001", "40P01")  # PostgreSQL: serialization failure, deadlock


class Database:
    """SQLite (WAL) or PostgreSQL by URL, such as `sqlite+aiosqlite:////var/lib/senryu/db/senryu.db`.

    Store functions take a transaction; whoever changes several things opens one and calls several functions. Writers are one at a time on
    SQLite (it would refuse the second); what a transaction wrote survives kill -9 and power loss once `transaction()` has ended.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._engine = _sqlite_engine(url) if self.is_sqlite else create_async_engine(url, pool_size=_POOL_SIZE, pool_pre_ping=True)
        self._writer = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A read-write transaction: committed at the end, undone by an exception.

        Raises: Conflict when two changes met, Unavailable when the database does not answer.
        """
        if not self.is_sqlite:
            async with self._begin(read_only=False) as tx:
                yield tx
            return
        async with self._writer, self._begin(read_only=False) as tx:
            yield tx

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads; never waits for writers."""
        async with self._begin(read_only=True) as tx:
            yield tx

    @asynccontextmanager
    async def _begin(self, *, read_only: bool) -> AsyncIterator[Transaction]:
        try:
            async with self._connection() as connection:
                if self.is_sqlite:
                    await connection.execute(text("BEGIN" if read_only else "BEGIN IMMEDIATE"))
                else:
                    await connection.begin()
                try:
                    yield connection
                except BaseException:
                    await connection.rollback()
                    raise
                await connection.commit()
        except IntegrityError as failure:
            raise Conflict("Another change of the same thing came first; look again and repeat yours.") from failure
        except (OperationalError, InterfaceError, NoConnectionFree) as failure:
            raise Unavailable(_FULL if _is_full(failure) else _SILENT) from failure
        except DBAPIError as failure:
            if failure.connection_invalidated:
                raise Unavailable(_SILENT) from failure
            if getattr(failure.orig, "sqlstate", None) in _MET:
                raise Conflict("Another change of the same thing came first; repeat yours.") from failure
            raise

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        connection = self._engine.connect()
        # To its end also when cancelled: a connection half opened would be lost together with its thread or socket.
        opening = asyncio.ensure_future(connection.start())
        try:
            await asyncio.shield(opening)
        except OSError as failure:  # the PostgreSQL driver gives these as they are
            raise Unavailable(_SILENT) from failure
        except asyncio.CancelledError:
            await asyncio.wait({opening})
            if opening.exception() is None:
                await connection.close()
            raise
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self._engine.dispose()


def _is_full(failure: Exception) -> bool:
    """SQLite: SQLITE_FULL, and the IOERRs of a write that had no room; PostgreSQL: disk_full."""
    cause = getattr(failure, "orig", None)
    return getattr(cause, "sqlite_errorname", "") in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE") or getattr(cause, "sqlstate", "") == "53100"


def _sqlite_engine(url: str) -> AsyncEngine:
    in_memory = url.endswith(":memory:")
    options: dict[str, Any] = {} if in_memory else {"pool_size": _POOL_SIZE}
    engine = create_async_engine(url, **options)

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own would start writers as readers
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
