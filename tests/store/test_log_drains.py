"""Log drains in both databases: what goes in comes out the same, and the URL is sealed."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from sqlalchemy import text

from senryu.core.log_drain import LogDrain
from senryu.store import log_drains
from senryu.store.database import Database
from senryu.store.vault import Vault

from .conftest import NOW, Rows


async def test_log_drains(db: Database, rows: Rows, vault: Vault) -> None:
    drain = LogDrain(uuid4(), rows.app.id, "https://me:s3cret@h.example.com/in", f"d.{uuid4()}", 2**40, NOW, NOW)
    other = replace(drain, id=uuid4(), token=f"d.{uuid4()}")
    async with db.transaction() as tx:
        await log_drains.create_log_drain(tx, drain, vault=vault)
        await log_drains.create_log_drain(tx, other, vault=vault)
        found = await log_drains.list_log_drains(tx, rows.app.id, vault=vault)
        assert sorted(found, key=lambda each: each.id) == sorted([drain, other], key=lambda each: each.id)
        assert await log_drains.list_log_drains(tx, uuid4(), vault=vault) == []
        await log_drains.delete_log_drain(tx, other.id)
        assert await log_drains.list_log_drains(tx, vault=vault) == [drain]
        sealed = (await tx.execute(text("SELECT sealed_url FROM log_drains"))).scalar_one()
        assert b"s3cret" not in bytes(sealed)
