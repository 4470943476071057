"""A database that watches what every story writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import func, select

from senryu.core.add_on import all_variables
from senryu.store.add_ons import list_attachments
from senryu.store.database import Database, Transaction
from senryu.store.tables import apps, releases
from senryu.store.vault import Vault


class HeldDatabase(Database):
    """Holds every transaction of every story to decisions/0066: what apps have from add-ons changes with a release of them, or not."""

    def __init__(self, url: str, vault: Vault) -> None:
        super().__init__(url)
        self._vault = vault
        self.broken: list[str] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            before = await _environments(tx, self._vault)
            yield tx
            after = await _environments(tx, self._vault)
            changed = [id for id in before.keys() & after.keys() if before[id][0] != after[id][0] and before[id][1] == after[id][1]]
            self.broken += [
                f"{id} has {sorted(after[id][0])} from add-ons without a release, and had {sorted(before[id][0])}" for id in changed
            ]


async def _environments(tx: Transaction, vault: Vault) -> dict[UUID, tuple[dict[str, str], int]]:
    """What each app has from add-ons, and its newest release."""
    newest = select(apps.c.id, func.max(releases.c.version)).join(releases, releases.c.app_id == apps.c.id).group_by(apps.c.id)
    versions, before = {row[0]: row[1] for row in await tx.execute(newest)}, None
    while versions != before:  # on PostgreSQL others commit between two statements
        entries, before = await list_attachments(tx, vault=vault), versions
        versions = {row[0]: row[1] for row in await tx.execute(newest)}
    return {id: (all_variables([entry for entry in entries if entry[0].app_id == id]), version) for id, version in versions.items()}
