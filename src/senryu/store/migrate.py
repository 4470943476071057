"""Brings a database to the newest schema: `python -m senryu.store.migrate`, the URL in `SENRYU_MIGRATE_URL`.

A process of its own, so that the platform need not carry Alembic in memory. Safe to repeat; each revision is one transaction.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine


def _configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Any) -> None:
    config = _configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str) -> None:
    """Upgrades the database at `url`, making it when it is a new SQLite file."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)
    await engine.dispose()


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
