"""A PostgreSQL server of the tests' own: on a Unix socket, in a folder that goes with it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from senryu.store.database import Database
from senryu.store.migrate import migrate
from senryu.store.tables import metadata

_TIMEOUT_S = 60


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _as_unprivileged(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def served() -> Iterator[str]:
    """The URL of a running server at the newest schema; skips when there is none to run."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="senryu-pg-"))
    who = _as_unprivileged(folder)
    run = {"check": True, "timeout": _TIMEOUT_S, "capture_output": True, "cwd": folder, **who}
    cluster = folder / "data"
    subprocess.run([binaries / "initdb", "-D", cluster, "-U", "senryu", "-A", "trust", "-E", "UTF8", "--no-sync"], **run)  # type: ignore[call-overload]
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [binaries / "pg_ctl", "-D", cluster, "-w", "-t", str(_TIMEOUT_S)]
    subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], **run)  # type: ignore[call-overload]
    try:
        url = f"postgresql+asyncpg://senryu@/postgres?host={folder}"
        with ThreadPoolExecutor(1) as thread:  # there may be an event loop in this one
            thread.submit(asyncio.run, migrate(url)).result(_TIMEOUT_S)
        yield url
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **{**run, "check": False})  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)


async def emptied(db: Database) -> None:
    """Takes every row away."""
    async with db.transaction() as tx:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        await tx.execute(text(f"TRUNCATE {names} CASCADE"))
