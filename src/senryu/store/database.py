"""The database: transactions and their rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from ..core.errors import Conflict, Unavailable
from .sqlite import SqliteConnections
from .transaction import SILENT, Transaction

__all__ = ["NEWS", "Database", "Transaction"]

# A note in a transaction's `info`: once it is committed, `Database.on_news` is called.
NEWS = "news"
_FULL = "The platform's disk is full, so nothing can be changed; its operator must free disk space."
_MET = ("40001", "40P01")  # PostgreSQL: serialization failure, deadlock


class _Connections(Protocol):
    def writing(self) -> AbstractAsyncContextManager[Transaction]: ...

    def reading(self) -> AbstractAsyncContextManager[Transaction]: ...

    async def close(self) -> None: ...


class Database:
    """SQLite (WAL) or PostgreSQL by URL, such as `sqlite:////var/lib/senryu/db/senryu.db`.

    Store functions take a transaction; whoever changes several things opens one and calls several functions. Writers are one at a time on
    SQLite (it would refuse the second); what a transaction wrote survives kill -9 and power loss once `transaction()` has ended.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.on_news: Callable[[], None] = lambda: None
        self._connections = _connections(url)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A read-write transaction: committed at the end, undone by an exception.

        Raises: Conflict when two changes met, Unavailable when the database does not answer.
        """
        try:
            async with self._connections.writing() as tx:
                yield tx
        except DATABASE_FAILURES as failure:
            raise _told(failure) from failure
        if tx.info.pop(NEWS, False):
            self.on_news()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads; never waits for writers."""
        try:
            async with self._connections.reading() as tx:
                yield tx
        except DATABASE_FAILURES as failure:
            raise _told(failure) from failure

    async def close(self) -> None:
        """Closes every connection."""
        await self._connections.close()


DATABASE_FAILURES = (DBAPIError, NoConnectionFree)


def _told(failure: Exception) -> Exception:
    """The failure as the platform says it; itself when it is a mistake of ours."""
    if isinstance(failure, IntegrityError):
        return Conflict("Another change of the same thing came first; look again and repeat yours.")
    if isinstance(failure, OperationalError | InterfaceError | NoConnectionFree):
        return Unavailable(_FULL if _is_full(failure) else SILENT)
    if isinstance(failure, DBAPIError) and failure.connection_invalidated:
        return Unavailable(SILENT)
    if getattr(getattr(failure, "orig", None), "sqlstate", None) in _MET:
        return Conflict("Another change of the same thing came first; repeat yours.")
    return failure


def _is_full(failure: Exception) -> bool:
    """SQLite: SQLITE_FULL, and the IOERRs of a write that had no room; PostgreSQL: disk_full."""
    cause = getattr(failure, "orig", None)
    return getattr(cause, "sqlite_errorname", "") in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE") or getattr(cause, "sqlstate", "") == "53100"


def _connections(url: str) -> _Connections:
    if url.startswith("sqlite"):
        return SqliteConnections(url)
    from .postgresql import PostgresqlConnections

    return PostgresqlConnections(url)
