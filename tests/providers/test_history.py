"""A database as it was: random writes, a moment, more writes, a loss; the moment comes back row for row, into another database."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from house import eventually
from senryu.agent import postgres
from senryu.agent.history import History
from senryu.core.errors import Invalid
from senryu.providers.postgres import PostgresMoving, PostgresSupplier
from system.rig import free_ports

from .conftest import NEEDED, Local, connected, provisioned

pytestmark = [*NEEDED, pytest.mark.skipif(not Path("/usr/bin/pgbackrest").exists(), reason="pgBackRest is not installed")]


@pytest.fixture(scope="module")
def own() -> Iterator[Local]:
    """A server of this file's own: its history is kept."""
    root = Path(tempfile.mkdtemp(prefix="senryu-data-", dir="/var/tmp"))
    root.chmod(0o755)
    place = postgres.Place(root / "postgres", "127.0.0.1", IPv4Network("127.0.0.0/8"), "root", owner="nobody", port=free_ports(1)[0])
    history = History(place)
    try:
        postgres.run(place)
        yield Local(place)
    finally:
        history.forget_all()
        postgres.stop(place)
        shutil.rmtree(root)


@pytest_asyncio.fixture
async def history(own: Local) -> AsyncIterator[History]:
    made = History(own.place)
    await made.keep(4)
    await asyncio.sleep(1.1)  # pgBackRest counts whole seconds: a moment in the one a backup ended in is before it
    yield made
    await made.keep(0)


async def _write(url: str, draw: random.Random, rounds: int) -> None:
    async with connected(url) as tenant:
        await tenant.execute("CREATE TABLE IF NOT EXISTS pictures (id int PRIMARY KEY, name text)")
        for _ in range(rounds):
            id = draw.randint(1, 200)
            if draw.random() < 0.2:
                await tenant.execute("DELETE FROM pictures WHERE id = $1", id)
            else:
                await tenant.execute(
                    "INSERT INTO pictures VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = $2", id, draw.randbytes(9).hex()
                )


async def _rows(connection: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch("SELECT * FROM pictures ORDER BY id")]


async def _as_it_was(moving: PostgresMoving, history: History, id: UUID, at: datetime) -> list[tuple[Any, ...]]:
    transfer = uuid4()
    try:
        found = await moving.rewound(id, transfer, at)
        host = str(history.sockets(transfer))
        past = await asyncpg.connect(host=host, port=found.port, user=found.user, password=found.password, database=found.database)
        try:
            return await _rows(past)
        finally:
            await past.close()
    finally:
        await moving.tidy(id, transfer)


async def test_any_moment_comes_back_row_for_row(own: Local, history: History) -> None:
    supplier, moving, draw = PostgresSupplier(own), PostgresMoving(own, history), random.Random(7)
    (mine, url), (theirs, other) = await provisioned(supplier), await provisioned(supplier)
    moments: list[tuple[datetime, list[tuple[Any, ...]]]] = []
    for rounds in (150, 60):
        await _write(url, draw, rounds)
        await _write(other, draw, 20)
        async with connected(url) as tenant:
            moments.append((await tenant.fetchval("SELECT clock_timestamp()"), await _rows(tenant)))
    async with connected(url) as tenant:
        await tenant.execute("DROP TABLE pictures")
    await history.keep(4)  # the next day's base backup, which is of what changed
    for at, rows in moments:
        assert len(rows) > 50
        assert await _as_it_was(moving, history, mine, at) == rows
    assert moments[0][1] != moments[1][1]
    with pytest.raises(Invalid, match="does not reach back"):
        await _as_it_was(moving, history, mine, datetime.now(UTC) - timedelta(days=3))
    with pytest.raises(Invalid):
        await history.rewind(uuid4(), moments[0][0], "postgres; DROP")
    assert list(own.place.root.glob("past-*")) == []
    assert await history.used_bytes() > 1_000_000
    for id in (mine, theirs):
        await supplier.deprovision(id)


async def test_a_base_backup_under_way_ends_with_the_platform(own: Local, history: History) -> None:
    config = f"--config={own.place.root}/pgbackrest.conf"
    command = ["/usr/bin/pgbackrest", config, "--stanza=tenants", "--no-start-fast", "--type=full", "backup"]  # waits for a checkpoint
    backup = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **postgres.owner_of(own.place)
    )  # type: ignore[call-overload]
    try:
        await eventually(lambda: _many(config, 2))  # it has begun another, which reads the files
        await asyncio.to_thread(history.end_programs)
        assert backup.wait(5) != 0
        assert not await _many(config, 1)
    finally:
        backup.kill()
        backup.wait()


async def _many(argument: str, least: int) -> bool:
    found = [path.read_bytes().split(b"\0") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return sum(argument.encode() in words for words in found) >= least
