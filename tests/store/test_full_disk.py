"""What the database says when its disk has no room. The room is SQLite's own page limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

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
