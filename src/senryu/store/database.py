"""The database: transactions and their rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar, cast

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from ..core.errors import Conflict, Unavailable
from .sqlite import SqliteConnections
from .transaction import SILENT, Transaction

__all__ = ["BEFORE_COMMIT", "NEWS", "Database", "Transaction"]

# A note in a transaction's `info`: once it is committed, `Database.on_news` is called.
NEWS = "news"
_KNOWN_MAX = 1000
T = TypeVar("T")
# What the task that changes something adds to each of its transactions.
BEFORE_COMMIT: ContextVar[Callable[[Transaction], Awaitable[None]] | None] = ContextVar("before_commit", default=None)
_FULL = "The platform's disk is full, so nothing can be changed; its operator must free disk space."
_MET = ("40001", "40P01")  # PostgreSQL: serialization failure, deadlock


class _Connections(Protocol):
    def writing(self) -> AbstractAsyncContextManager[Transaction]: ...

    def reading(self) -> AbstractAsyncContextManager[Transaction]: ...

    def version(self) -> int | None: ...

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
        self._known: dict[Hashable, object] = {}
        self._known_at: int | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A read-write transaction: committed at the end, undone by an exception.

        Raises: Conflict when two changes met, Unavailable when the database does not answer.
        """
        try:
            async with self._connections.writing() as tx:
                yield tx
                note = BEFORE_COMMIT.get()
                if note is not None:
                    await note(tx)
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

    async def remembered(self, key: Hashable, read: Callable[[Transaction], Awaitable[T]]) -> T:
        """What `read` gives from one transaction; for the same `key` without reading again until anything at all is committed.

        For what nobody changes (frozen nouns) and many requests need. What is None or raised is not remembered. On PostgreSQL, where
        other processes write unseen, it is read each time.
        """
        version = self._connections.version()
        if version is None or version != self._known_at or len(self._known) >= _KNOWN_MAX:
            self._known.clear()
            self._known_at = version
        elif key in self._known:
            return cast(T, self._known[key])
        async with self.reading() as tx:
            found = await read(tx)
        if found is not None and version is not None and version == self._known_at:
            self._known[key] = found
        return found

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
