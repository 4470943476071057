"""SQLite: connections used from the event loop's own thread.

What is read is in memory nearly always, so handing it to a thread and back takes longer than reading it. Only a commit waits for
the disk (fsync), and it has a thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Dialect, NullPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from .transaction import Transaction, silent

_CONNECTIONS_MAX = 64
_PATIENCE_S = 5.0
_LOOK_AGAIN_S = 0.01
# Kept open between transactions: each has a page cache.
_KEPT = 2
# Whoever opens a database first, if only to read, needs 32 KB for the index of its log; others may have taken a full disk's last blocks.
_NO_ROOM_TO_READ = "SQLITE_IOERR_SHMSIZE"
_RESERVE_BYTES = 128 * 1024


class _Statements:
    """A Transaction on a connection of this thread."""

    __slots__ = ("_connection", "info")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.info: dict[Any, Any] = {}

    @property
    def dialect(self) -> Dialect:
        """See Transaction."""
        return self._connection.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        """See Transaction."""
        return self._connection.execute(statement, parameters)


class SqliteConnections:
    """Transactions on one file. Raises what SQLAlchemy raises; Unavailable when all connections are in use for 5 s."""

    def __init__(self, url: str) -> None:
        # A URL with another driver will do: settings files of before name one.
        place = make_url(url).set(drivername="sqlite")
        self._engine = create_engine(place, poolclass=NullPool, connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", _set_up)
        is_file = place.database and not place.database.startswith((":", "file:"))
        self._reserve = Path(f"{place.database}-reserve") if is_file else None
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(_CONNECTIONS_MAX)
        self._writer = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "commit")
        self._witness: Any = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """Committed at the end, undone by an exception; one at a time."""
        async with self._writer, self._connection() as connection:
            await _begin(connection, "BEGIN IMMEDIATE")
            yield _Statements(connection)
            await self._commit(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Sees what was committed when it began; never waits for a writer."""
        async with self._connection() as connection:
            await _begin(connection, "BEGIN")
            yield _Statements(connection)

    def version(self) -> int | None:
        """Another number whenever any process committed anything. None: not known now.

        Source: https://www.sqlite.org/pragma.html#pragma_data_version, on a connection that itself commits nothing.
        """
        try:
            if self._witness is None:
                self._witness = self._engine.raw_connection()
            return int(self._witness.driver_connection.execute("PRAGMA data_version").fetchone()[0])
        except (DBAPIError, sqlite3.Error):
            return None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._places.acquire()
        except TimeoutError:
            raise silent() from None
        try:
            connection = self._idle.pop() if self._idle else self._opened()
            try:
                yield connection
                connection.rollback()  # of a reader, or of what a commit left nothing of
                if (driver := _driver(connection)).in_transaction:  # SQLAlchemy does not know of one without statements
                    driver.rollback()
            except BaseException:
                connection.invalidate()  # closes it, which undoes what it did
                connection.close()
                raise
            if len(self._idle) < _KEPT:
                self._idle.append(connection)
            else:
                connection.close()
        finally:
            self._places.release()

    def _opened(self) -> Connection:
        try:
            connection = self._engine.connect()
        except OperationalError as failure:
            if getattr(failure.orig, "sqlite_errorname", "") != _NO_ROOM_TO_READ or self._reserve is None or not self._reserve.exists():
                raise
            self._reserve.unlink()
            return self._engine.connect()
        if self._reserve is not None:
            _reserve(self._reserve)
        return connection

    async def _commit(self, connection: Connection) -> None:
        committing = asyncio.get_running_loop().run_in_executor(self._thread, connection.commit)
        is_cancelled = False
        while not committing.done():  # the connection is the thread's until then
            try:
                await asyncio.wait({committing})
            except asyncio.CancelledError:
                is_cancelled = True
        committing.result()
        if is_cancelled:
            raise asyncio.CancelledError

    async def close(self) -> None:
        """Closes every connection that is not in use."""
        while self._idle:
            self._idle.pop().close()
        if self._witness is not None:
            self._witness.close()
        self._thread.shutdown()
        self._engine.dispose()


async def _begin(connection: Connection, statement: str) -> None:
    """Raises: OperationalError when another process holds the database for 5 s (a migration, another version's commit)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    while True:
        try:
            _driver(connection).execute(statement).close()  # past SQLAlchemy, which takes longer over it than SQLite
            return
        except sqlite3.OperationalError as failure:
            if not failure.sqlite_errorname.startswith("SQLITE_BUSY") or loop.time() > deadline:
                raise OperationalError(statement, None, failure) from failure
        await asyncio.sleep(_LOOK_AGAIN_S)


def _reserve(place: Path) -> None:
    """Keeps room beside the database, unless it is kept or there is none."""
    with suppress(OSError):
        if not place.exists():
            with place.open("wb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
                except OSError:
                    place.unlink()


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own would start writers as readers
    # A wait inside SQLite would be one of the whole event loop: `_begin` waits instead.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=0"):
        connection.execute(f"PRAGMA {pragma}").close()
