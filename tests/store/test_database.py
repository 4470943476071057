"""Transactions, races, migrations, and what survives kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select

from senryu.core.errors import Conflict, Unavailable
from senryu.store.accounts import count_accounts, create_account
from senryu.store.apps import lock_app, update_app
from senryu.store.database import Database, Transaction
from senryu.store.migrate import migrate, on_connection
from senryu.store.releases import append_release, list_releases
from senryu.store.tables import accounts, metadata, stacks
from senryu.store.vault import Vault

from .conftest import Rows, account


async def test_a_transaction_that_fails_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError):
        async with db.transaction() as tx:
            await create_account(tx, account())
            raise RuntimeError
    async with db.reading() as tx:
        assert await count_accounts(tx) == 0


async def test_a_cancelled_transaction_is_all_or_nothing_and_the_database_works_on(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.transaction() as tx:
            await create_account(tx, account(f"{number}@example.com"))
            await asyncio.sleep(0.002)
            await create_account(tx, account(f"{number}b@example.com"))

    tasks = [asyncio.create_task(write(number)) for number in range(40)]
    for number, task in enumerate(tasks):
        await asyncio.sleep(0.001)
        if number % 2:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    done = {f"{number}{half}@example.com" for number, task in enumerate(tasks) if not task.cancelled() for half in ("", "b")}
    async with db.transaction() as tx:
        stored = set((await tx.execute(select(accounts.c.email))).scalars())
    # One that was cancelled while it committed may be there, too: whole.
    assert done <= stored
    assert {email.replace("b@", "@") for email in stored if "b@" in email} == {email for email in stored if "b@" not in email}


async def test_releases_appended_at_once_have_versions_without_holes(db: Database, rows: Rows, vault: Vault) -> None:
    async def append(number: int) -> None:
        async with db.transaction() as tx:
            held = await lock_app(tx, rows.app.id)
            assert held is not None
            made = await append_release(tx, rows.release({"N": str(number)}), vault=vault)
            await asyncio.sleep(0)
            if number % 5 == 4:
                raise asyncio.InvalidStateError  # undone: its version is given to another
            assert made.version > 0
            await update_app(tx, held)

    outcomes = await asyncio.gather(*(append(number) for number in range(40)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), asyncio.InvalidStateError}
    async with db.reading() as tx:
        stored = await list_releases(tx, rows.app.id, vault=vault)
    assert [release.version for release in stored] == list(range(1, 33))
    assert len({release.config_vars["N"] for release in stored}) == 32


async def test_without_the_lock_two_appends_never_share_a_version(db: Database, rows: Rows, vault: Vault) -> None:
    async def append() -> None:
        async with db.transaction() as tx:
            await append_release(tx, rows.release(), vault=vault)

    outcomes = await asyncio.gather(*(append() for _ in range(8)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {type(None), Conflict}
    async with db.reading() as tx:
        versions = [release.version for release in await list_releases(tx, rows.app.id, vault=vault)]
    assert versions == list(range(1, len(versions) + 1))


async def test_readers_do_not_wait_for_a_writer(db: Database, rows: Rows) -> None:
    async with db.transaction() as writing:
        await create_account(writing, account("new@example.com"))
        async with db.reading() as tx:
            assert await asyncio.wait_for(count_accounts(tx), 5) == 1


async def test_what_is_remembered_is_read_again_once_anybody_committed_anything(db: Database, rows: Rows) -> None:
    reads = 0

    async def counted(tx: Transaction) -> int:
        nonlocal reads
        reads += 1
        return await count_accounts(tx)

    async def ask() -> int:
        return await db.remembered("accounts", counted)

    assert [await ask(), await ask()] == [1, 1]
    remembers = reads == 1
    assert remembers == db.url.startswith("sqlite")  # PostgreSQL's other writers are unseen
    async with db.transaction() as tx:
        await create_account(tx, account("second@example.com"))
    assert await ask() == 2
    elsewhere = Database(db.url)
    async with elsewhere.transaction() as tx:
        await create_account(tx, account("third@example.com"))
    await elsewhere.close()
    assert await ask() == 3


async def test_what_is_not_there_is_not_remembered(db: Database) -> None:
    answers = iter((None, "there"))

    async def look(_: Transaction) -> str | None:
        return next(answers)

    assert await db.remembered("it", look) is None
    assert await db.remembered("it", look) == "there"


async def test_migrations_make_exactly_the_tables_there_are(db: Database) -> None:
    def differences(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": metadata})
        return list(compare_metadata(context, metadata))

    assert await on_connection(db.url, differences) == []


async def test_migrating_again_changes_nothing(db: Database, rows: Rows) -> None:
    await migrate(db.url)
    async with db.reading() as tx:
        assert await count_accounts(tx) == 1


async def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    silent = (f"postgresql+asyncpg://x@/x?host={tmp_path}", "postgresql+asyncpg://x@127.0.0.1:1/x", f"sqlite:///{tmp_path}/no/db")
    for url in silent:
        missing = Database(url)
        for opened in (missing.transaction, missing.reading):
            with pytest.raises(Unavailable, match="database does not answer"):
                async with opened():
                    pass
        await missing.close()


WRITER = """
import asyncio, sys
from uuid import uuid4
from datetime import UTC, datetime
from senryu.core.stack import Stack
from senryu.store.database import Database, Transaction
from senryu.store.stacks import set_stack

async def write() -> None:
    db = Database(sys.argv[1])
    for number in range(1_000_000):
        now = datetime.now(UTC)
        async with db.transaction() as tx:
            await set_stack(tx, Stack(uuid4(), f"s{number}", "public", False, "x", now, now))
        print(number, flush=True)

asyncio.run(write())
"""


async def test_nothing_acknowledged_is_lost_by_kill_9(db: Database) -> None:
    acknowledged = -1
    for number in range(3):
        program = WRITER.replace("range(1_000_000)", f"range({acknowledged + 1}, 1_000_000)")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, db.url, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(20 + 7 * number):
            await asyncio.wait_for(process.stdout.readline(), 30)
        os.kill(process.pid, signal.SIGKILL)
        rest = (await asyncio.wait_for(process.stdout.read(), 30)).split()
        await process.wait()
        acknowledged += 20 + 7 * number + len(rest)
        async with db.reading() as tx:
            stored = {int(name[1:]) for name in (await tx.execute(select(stacks.c.name))).scalars()}
        assert set(range(acknowledged + 1)) <= stored
        acknowledged = max(stored)


def test_the_vault_seals_opens_rotates_and_refuses_a_wrong_key(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    from senryu.store.vault import vault_at

    path = tmp_path / "secrets" / "vault.key"
    first = vault_at(path)
    sealed = first.seal({"KEY": "välue"})
    assert b"lue" not in sealed
    assert path.stat().st_mode & 0o777 == 0o600
    assert vault_at(path).open(sealed) == {"KEY": "välue"}
    path.write_bytes(Fernet.generate_key() + b"\n" + path.read_bytes())
    rotated = vault_at(path)
    assert rotated.open(sealed) == {"KEY": "välue"}
    with pytest.raises(Unavailable, match="key file"):
        first.open(rotated.seal({}))
