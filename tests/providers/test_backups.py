"""Backups and restores of tenants' databases: real programs in their sandbox, a real server, archives in the blob store."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from house import StoryClock, eventually
from senryu.actions.move_data import back_up, copy, restore
from senryu.actions.transfers import Transfers
from senryu.actions.undertakings import Undertakings
from senryu.agent import archive_programs, protocol
from senryu.agent.wire import Channel, Closed
from senryu.blobs.disk import DiskBlobStore
from senryu.core.account import Account
from senryu.core.add_on import AddOn, AddOnState
from senryu.core.app import App
from senryu.core.errors import Conflict, PlatformError
from senryu.core.transfer import Transfer, TransferKind
from senryu.engines.container import ContainerArchivePrograms
from senryu.providers.postgres import SERVICE, PostgresMoving, PostgresSupplier
from senryu.store.accounts import create_account
from senryu.store.add_ons import create_add_on
from senryu.store.apps import create_app
from senryu.store.database import Database
from senryu.store.transfers import create_transfer, find_transfer
from senryu.store.vault import Vault
from stand_ins import HouseResolver

from .conftest import NEEDED, Local, connected, provisioned

pytestmark = NEEDED
_UID = 2_099_001  # of no home


async def _answer(connection: socket.socket, sockets: Path) -> None:
    channel = Channel(connection, limit_bytes=protocol.REQUEST_MAX_BYTES, may_receive_files=False)
    try:
        payload, _ = await channel.receive()
        request = protocol.read_request(payload)
        assert isinstance(request, protocol.RunArchiveProgram)
        await archive_programs.run(request, sockets, _UID, channel)
    except PlatformError as error:
        await channel.send(protocol.encoded(protocol.failure(error)))
    except Closed:
        pass
    finally:
        channel.close()


@pytest_asyncio.fixture
async def agent(tmp_path: Path, server: Local) -> AsyncIterator[Path]:
    """A home whose agent runs archive programs, and nothing else."""
    (tmp_path / "run").mkdir()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "run/agent.sock"))
    listener.listen(8)
    listener.setblocking(False)
    tasks: set[asyncio.Task[None]] = set()

    async def serve() -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            tasks.add(asyncio.create_task(_answer(connection, server.place.sockets)))

    serving = asyncio.create_task(serve())
    yield tmp_path
    for task in (serving, *tasks):
        task.cancel()
    await asyncio.gather(serving, *tasks, return_exceptions=True)
    listener.close()


@dataclass
class Bench:
    """One app with databases, and what backs them up."""

    transfers: Transfers
    supplier: PostgresSupplier
    app_id: UUID
    made: list[UUID]

    async def database(self, plan: str = "essential-0") -> tuple[AddOn, str]:
        id, url = await provisioned(self.supplier)
        now = datetime.now(UTC)
        state = AddOnState.PROVISIONED
        add_on = AddOn(id, self.app_id, f"postgresql-{id.hex[:8]}", SERVICE.name, plan, state, now, now, config={"URL": url})
        async with self.transfers.db.transaction() as tx:
            await create_add_on(tx, add_on, vault=self.transfers.vault)
        self.made.append(id)
        return add_on, url

    async def stored(self, transfer: Transfer) -> Transfer:
        async with self.transfers.db.reading() as tx:
            found = await find_transfer(tx, transfer.id)
        assert found is not None
        return found

    async def done(self, transfer: Transfer) -> Transfer:
        deadline = asyncio.get_running_loop().time() + 60
        while not (found := await self.stored(transfer)).finished_at:
            assert asyncio.get_running_loop().time() < deadline, found
            await asyncio.sleep(0.02)
        return found

    async def restored(self, add_on: AddOn, backup: Transfer) -> Transfer:
        begun = await restore(
            add_on, transfers=self.transfers, key=backup.key, name=backup.name, resolver=HouseResolver(), allow_private=False
        )
        return await self.done(begun)


@pytest_asyncio.fixture
async def bench(agent: Path, empty_database: Path, server: Local, supplier: PostgresSupplier) -> AsyncIterator[Bench]:
    shutil.copyfile(empty_database, agent / "senryu.db")
    db, vault, work = Database(f"sqlite:///{agent}/senryu.db"), Vault([b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]), Undertakings()
    now, owner, app_id = datetime.now(UTC), uuid4(), uuid4()
    async with db.transaction() as tx:
        await create_account(tx, Account(owner, "owner@example.com", None, "x", False, now, now))
        await create_app(tx, App(app_id, "gallery", owner, "senryu-12", "senryu-12", False, now, now))
    moving = PostgresMoving(server)
    transfers = Transfers(
        db, vault, StoryClock(), DiskBlobStore(agent / "blobs"), work, {SERVICE.name: supplier}, ContainerArchivePrograms(agent),  # type: ignore[arg-type]
        {SERVICE.name: moving}, supplier.deprovision,
    )  # fmt: skip
    made = Bench(transfers, supplier, app_id, [])
    yield made
    await work.end()
    for id in made.made:
        await supplier.deprovision(id)
    await db.close()


async def _fill(url: str, rows: int = 2000) -> None:
    """Tables, constraints, an index, a view, a function, an extension, a large object's worth of odd bytes."""
    draw = random.Random(rows)
    async with connected(url) as tenant:
        await tenant.execute("CREATE EXTENSION citext WITH SCHEMA heroku_ext")
        await tenant.execute("CREATE TABLE people (id serial PRIMARY KEY, name heroku_ext.citext UNIQUE)")
        await tenant.execute("CREATE TABLE pictures (id bigserial PRIMARY KEY, owner int REFERENCES people, taken timestamptz, raw bytea)")
        await tenant.execute("CREATE INDEX ON pictures (taken)")
        await tenant.execute("CREATE VIEW albums AS SELECT owner, count(*) AS n FROM pictures GROUP BY owner")
        await tenant.execute("CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'")
        await tenant.execute("COMMENT ON TABLE pictures IS 'what was seen'")
        await tenant.executemany("INSERT INTO people (name) VALUES ($1)", [(f"p{n}",) for n in range(50)])
        values = [(draw.randint(1, 50), datetime.fromtimestamp(draw.random() * 2e9, UTC), draw.randbytes(200)) for _ in range(rows)]
        await tenant.executemany("INSERT INTO pictures (owner, taken, raw) VALUES ($1, $2, $3)", values)


async def _all(url: str) -> dict[str, Any]:
    """Every row of every table, and what else there is."""
    async with connected(url) as tenant:
        tables = await tenant.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        rows: dict[str, Any] = {row[0]: await tenant.fetch(f"SELECT * FROM {row[0]} ORDER BY 1") for row in tables}
        rows["albums"] = await tenant.fetch("SELECT * FROM albums ORDER BY 1")
        rows["indexes"] = await tenant.fetch("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
        rows["comment"] = await tenant.fetchval("SELECT obj_description('pictures'::regclass)")
        rows["doubled"] = await tenant.fetchval("SELECT doubled(21)")
        return rows


async def _databases(server: Local) -> set[str]:
    admin = await asyncpg.connect(**(await server.reached()).admin, database="postgres")
    try:
        return {row[0] for row in await admin.fetch("SELECT datname FROM pg_database WHERE datname ~ '^[xy][0-9a-f]{16}$'")}
    finally:
        await admin.close()


async def test_what_was_backed_up_comes_back_row_for_row_also_into_another_database(bench: Bench, server: Local) -> None:
    add_on, url = await bench.database()
    await _fill(url)
    before = await _all(url)
    backup = await bench.done(await back_up(add_on, transfers=bench.transfers))
    assert (backup.succeeded, backup.name, backup.from_name) == (True, "b001", add_on.name), backup.lines
    assert backup.processed_bytes == await bench.transfers.blobs.size(backup.key) > 100_000
    assert backup.source_bytes > 1_000_000
    assert any("dumping contents of table" in line for _, line in backup.lines)

    async with connected(url) as tenant:
        await tenant.execute("DELETE FROM pictures; CREATE TABLE later (n int); DROP VIEW albums")
    done = await bench.restored(add_on, backup)
    assert (done.succeeded, done.warnings, done.name) == (True, 0, "r002"), done.lines
    assert await _all(url) == before

    other, other_url = await bench.database()
    done = await bench.restored(other, backup)
    assert (done.succeeded, done.warnings) == (True, 0), done.lines
    assert await _all(other_url) == before
    copied, copied_url = await bench.database()
    done = await bench.done(await copy(add_on, copied, names=("DATABASE", "TEAL"), transfers=bench.transfers))
    assert (done.succeeded, done.warnings, done.name, done.to_name) == (True, 0, "c004", "TEAL"), done.lines
    assert await _all(copied_url) == before
    await eventually(lambda: _is_tidy(server))
    assert await bench.transfers.blobs.keys("backups/") == [backup.key]


async def _is_tidy(server: Local) -> bool:
    return not await _databases(server)


async def test_a_restore_that_fails_leaves_what_was_there_and_nothing_else(bench: Bench, server: Local) -> None:
    add_on, url = await bench.database()
    await _fill(url, 500)
    before = await _all(url)
    backup = await bench.done(await back_up(add_on, transfers=bench.transfers))
    whole = b"".join([chunk async for chunk in bench.transfers.blobs.get(backup.key)])

    async def cut() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]

    await bench.transfers.blobs.put(backup.key, cut(), max_bytes=10**9)
    done = await bench.restored(add_on, backup)
    assert (done.succeeded, bool(done.finished_at)) == (False, True)
    assert "end of file" in done.lines[-1][1]

    async def nonsense() -> AsyncIterator[bytes]:
        yield b"no archive at all"

    await bench.transfers.blobs.put(backup.key, nonsense(), max_bytes=10**9)
    done = await bench.restored(add_on, backup)
    assert "is no archive" in done.lines[-1][1]
    assert await _all(url) == before
    assert await _databases(server) == set()


async def test_one_transfer_into_a_database_at_a_time_and_a_canceled_one_leaves_nothing(bench: Bench, server: Local) -> None:
    add_on, url = await bench.database()
    await _fill(url, 500)
    before = await _all(url)
    backup = await bench.done(await back_up(add_on, transfers=bench.transfers))
    async with connected(url) as tenant:
        transaction = tenant.transaction()
        await transaction.start()
        await tenant.execute("LOCK TABLE pictures")  # what pg_dump waits for
        begun = await back_up(add_on, transfers=bench.transfers)
        with pytest.raises(Conflict, match="b002 is under way"):
            await back_up(add_on, transfers=bench.transfers)
        with pytest.raises(Conflict, match="b002 is under way"):
            await restore(add_on, transfers=bench.transfers, key=backup.key, resolver=HouseResolver(), allow_private=False)
        await eventually(lambda: _waits(server))
        ended = await bench.transfers.cancel(await bench.stored(begun))
        assert (ended.succeeded, ended.canceled_at is not None, ended.finished_at is not None) == (False, True, True)
        await transaction.rollback()
    await eventually(lambda: _is_quiet(server))
    with pytest.raises(Conflict, match="has finished"):
        await bench.transfers.cancel(ended)
    assert await bench.transfers.blobs.keys("backups/") == [backup.key]
    await bench.transfers.delete(backup)
    assert await bench.transfers.blobs.keys("backups/") == []
    assert await _all(url) == before


async def _sessions(server: Local) -> list[Any]:
    admin = await asyncpg.connect(**(await server.reached()).admin, database="postgres")
    try:
        return list(await admin.fetch("SELECT wait_event_type FROM pg_stat_activity WHERE application_name = 'senryu backups'"))
    finally:
        await admin.close()


async def _waits(server: Local) -> bool:
    return any(row[0] == "Lock" for row in await _sessions(server))


async def _is_quiet(server: Local) -> bool:
    return not await _sessions(server)


async def test_what_an_earlier_platform_left_is_tidied_up_and_told_as_failed(bench: Bench, server: Local) -> None:
    add_on, url = await bench.database()
    await _fill(url, 100)
    moving = bench.transfers.movables[SERVICE.name]
    draft = await bench.transfers.draft(TransferKind.RESTORE, bench.app_id, to=add_on)
    async with bench.transfers.db.transaction() as tx:
        await create_transfer(tx, draft)
    await moving.make_room(add_on.id, draft.id, await moving.address(url), ())
    admin = await asyncpg.connect(**(await server.reached()).admin, database="postgres")
    await admin.execute(f"ALTER DATABASE {url.rpartition('/')[2]} ALLOW_CONNECTIONS false")  # it died while it swapped them
    await admin.close()
    assert len(await _databases(server)) == 1
    await bench.transfers.recover()
    found = await bench.stored(draft)
    assert (found.succeeded, found.finished_at is not None) == (False, True)
    assert "interrupted by a restart" in found.lines[-1][1]
    assert await _databases(server) == set()
    assert (await _all(url))["doubled"] == 42


_EVIL = (
    "CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS"
    " $$ BEGIN EXECUTE 'ALTER ROLE ' || session_user || ' SUPERUSER'; RETURN 1; END $$"
)


async def test_a_hostile_archive_gains_nothing(bench: Bench, server: Local) -> None:
    """What only an administrator may do is not done, whoever's archive asks for it."""
    add_on, url = await bench.database()
    _, victim_url = await bench.database()
    await _fill(victim_url, 10)
    async with connected(url) as tenant:
        await tenant.execute(_EVIL)
        await tenant.execute("CREATE TABLE bait (n int); CREATE MATERIALIZED VIEW spring AS SELECT 1 AS one_two_th")
        await tenant.execute("COMMENT ON TABLE bait IS 'room for a statement of the attacker, which runs as whoever restores'")
    backup = await bench.done(await back_up(add_on, transfers=bench.transfers))
    whole = b"".join([chunk async for chunk in bench.transfers.blobs.get(backup.key)])
    harmless = b"IS 'room for a statement of the attacker, which runs as whoever restores'"
    attack = b"IS ''; COPY (SELECT 1) TO PROGRAM 'id'; ALTER SYSTEM SET port = 1;"
    changed = whole.replace(b"SELECT 1 AS one_two_th", b"SELECT public.evil() z").replace(harmless, attack.ljust(len(harmless)))
    assert changed != whole and len(changed) == len(whole)

    async def forged() -> AsyncIterator[bytes]:
        yield changed

    await bench.transfers.blobs.put(backup.key, forged(), max_bytes=10**9)
    done = await bench.restored(add_on, backup)
    assert done.finished_at and (done.warnings or not done.succeeded), done.lines
    assert any("denied" in line or "must be" in line for _, line in done.lines), "\n".join(line for _, line in done.lines)
    admin = await asyncpg.connect(**(await server.reached()).admin, database="postgres")
    try:
        assert [row[0] for row in await admin.fetch("SELECT rolname FROM pg_roles WHERE rolsuper")] == ["senryu_admin"]
        role, theirs = url.split("//")[1].split(":")[0], victim_url.rpartition("/")[2]
        assert await admin.fetchval("SELECT has_database_privilege($1, $2, 'CONNECT')", role, theirs) is False
    finally:
        await admin.close()
    assert len((await _all(victim_url))["pictures"]) == 10


async def test_an_archive_larger_than_the_plan_is_not_restored(bench: Bench, server: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    add_on, url = await bench.database()
    await _fill(url, 500)
    backup = await bench.done(await back_up(add_on, transfers=bench.transfers))
    monkeypatch.setitem(SERVICE.plan("essential-0").limits, "bytes", 1_000_000)
    done = await bench.restored(add_on, backup)
    assert not done.succeeded
    assert "larger than the 1000000 bytes" in done.lines[-1][1]
    assert len((await _all(url))["pictures"]) == 500
    assert await _databases(server) == set()
