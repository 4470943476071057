"""Custom domains."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, select

from ..core.domain import Domain
from .database import Transaction
from .rows import columns, noun
from .tables import domains


async def create_domain(tx: Transaction, domain: Domain) -> None:
    """Stores a domain. Raises: Conflict when another app has it."""
    await tx.execute(insert(domains).values(columns(domain)))


async def find_domain(tx: Transaction, hostname: str) -> Domain | None:
    """Whose domain it is."""
    row = (await tx.execute(select(domains).where(domains.c.hostname == hostname))).mappings().first()
    return noun(Domain, row) if row else None


async def list_domains(tx: Transaction, app_id: UUID) -> list[Domain]:
    """An app's custom domains, by name."""
    query = select(domains).where(domains.c.app_id == app_id).order_by(domains.c.hostname)
    return [noun(Domain, row) for row in (await tx.execute(query)).mappings()]


async def delete_domain(tx: Transaction, id: UUID) -> None:
    """Takes a domain away."""
    await tx.execute(delete(domains).where(domains.c.id == id))
