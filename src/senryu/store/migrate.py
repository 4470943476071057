"""Brings a database to the newest schema: `python -m senryu.store.migrate`, the URL in `SENRYU_MIGRATE_URL`.

A process of its own, so that the platform need not carry Alembic in memory. Safe to repeat; each revision is one transaction.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

T = TypeVar("T")


def _configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str) -> None:
    """Upgrades the database at `url`, making it when it is a new SQLite file."""
    await on_connection(url, _upgrade)


async def on_connection(url: str, work: Callable[[Connection], T]) -> T:
    """What `work` gives, done in one transaction of a connection to the database at `url`."""
    if url.startswith("sqlite"):
        engine = create_engine(make_url(url).set(drivername="sqlite"))
        with engine.begin() as connection:
            done = work(connection)
        engine.dispose()
        return done
    from sqlalchemy.ext.asyncio import create_async_engine

    server = create_async_engine(url)
    async with server.begin() as open_connection:
        done = await open_connection.run_sync(work)
    await server.dispose()
    return done


def main() -> int:
    """Gives the exit status; a database that cannot be reached is told in a sentence without its URL, which may hold a password."""
    try:
        asyncio.run(migrate(os.environ["SENRYU_MIGRATE_URL"]))
    except (SQLAlchemyError, OSError) as problem:
        cause = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        print(f"The database cannot be used: {cause}. Check SENRYU_DATABASE_URL and that the server runs.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
