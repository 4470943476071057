"""PostgreSQL: SQLAlchemy's asynchronous engine on asyncpg. Imported only where it is used: it brings 10 MB with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from .transaction import Transaction, silent

_POOL_SIZE = 8


class _Statements:
    """A Transaction on a connection of the pool."""

    __slots__ = ("_connection", "info")

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.info: dict[Any, Any] = {}

    @property
    def dialect(self) -> Dialect:
        """See Transaction."""
        return self._connection.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        """See Transaction."""
        return await self._connection.execute(statement, parameters)


class PostgresqlConnections:
    """Transactions on one server. Raises what SQLAlchemy raises, and Unavailable."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, pool_size=_POOL_SIZE, pool_pre_ping=True)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """Committed at the end, undone by an exception."""
        async with self._connection() as connection:
            await connection.begin()
            try:
                yield _Statements(connection)
            except BaseException:
                await connection.rollback()
                raise
            await connection.commit()

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """As `writing`; the difference is SQLite's."""
        return self.writing()

    def version(self) -> int | None:
        """None: what others commit cannot be told without asking."""
        return None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        connection = self._engine.connect()
        # To its end also when cancelled: a connection half opened would be lost together with its socket.
        opening = asyncio.ensure_future(connection.start())
        try:
            await asyncio.shield(opening)
        except OSError as failure:  # the driver gives these as they are
            raise silent() from failure
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
