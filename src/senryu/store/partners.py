"""Services of others. Their manifests hold passwords and are sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from .add_on_tables import partners
from .database import Transaction
from .vault import Vault


@dataclass(frozen=True, slots=True)
class Partner:
    """One, by the name of its service. `document` is its manifest as it was given."""

    name: str
    client_id: UUID
    document: dict[str, Any]


async def list_partners(tx: Transaction, *, vault: Vault) -> list[Partner]:
    """All, by name."""
    rows = (await tx.execute(select(partners).order_by(partners.c.name))).mappings()
    return [Partner(row["name"], row["client_id"], json.loads(vault.open(row["sealed_manifest"])["manifest"])) for row in rows]


async def put_partner(tx: Transaction, partner: Partner, now: datetime, *, vault: Vault) -> None:
    """Stores a new one, or what changed of one."""
    sealed = {"client_id": partner.client_id, "sealed_manifest": vault.seal({"manifest": json.dumps(partner.document)}), "updated_at": now}
    changed: Any = await tx.execute(update(partners).where(partners.c.name == partner.name).values(sealed))
    if changed.rowcount == 0:
        await tx.execute(insert(partners).values(name=partner.name, created_at=now, **sealed))


async def delete_partner(tx: Transaction, name: str) -> None:
    """Takes one away."""
    await tx.execute(delete(partners).where(partners.c.name == name))
