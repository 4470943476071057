"""What the database says when its disk has no room. The room is SQLite's own page limit, or a small file system."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from faults.small_disks import mounted
from senryu.core.errors import Unavailable
from senryu.store.database import Database


async def test_a_full_disk_is_told_as_one_and_nothing_is_changed(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'db'}")
    async with db.transaction() as tx:
        await tx.execute(text("CREATE TABLE things (what TEXT)"))
    with pytest.raises(Unavailable, match="disk is full"):
        async with db.transaction() as tx:
            await tx.execute(text("PRAGMA max_page_count = 3"))
            for _ in range(50):
                await tx.execute(text("INSERT INTO things VALUES (:what)"), {"what": "x" * 4000})
    async with db.reading() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM things"))).scalar() == 0
    await db.close()


@pytest.mark.system
async def test_a_process_that_begins_on_a_full_disk_reads_the_database_all_the_same_each_time(tmp_path: Path) -> None:
    with mounted(tmp_path / "db", 4) as disk:
        url = f"sqlite:///{disk.place}/senryu.db"
        for attempt in ("first", "second"):
            db = Database(url)
            async with db.transaction() as tx:
                await tx.execute(text("CREATE TABLE IF NOT EXISTS things (what TEXT)"))
                await tx.execute(text("INSERT INTO things VALUES (:what)"), {"what": attempt})
            await db.close()  # the last process takes SQLite's log and the index of that away
            with disk.full():
                late = Database(url)
                async with late.reading() as tx:
                    found = (await tx.execute(text("SELECT what FROM things ORDER BY rowid DESC"))).scalar()
                assert found == attempt
                await late.close()
