"""Custom domains."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.domain import Domain
from .database import Transaction
from .rows import columns, noun
from .tables import apps, domains


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


async def update_domain(tx: Transaction, domain: Domain) -> None:
    """Stores what changed of a domain."""
    await tx.execute(update(domains).where(domains.c.id == domain.id).values(columns(domain, "id", "created_at")))


async def list_acm_domains(tx: Transaction) -> list[Domain]:
    """The domains of all apps with automatic certificates."""
    query = select(domains).join(apps, apps.c.id == domains.c.app_id).where(apps.c.is_acm).order_by(domains.c.hostname)
    return [noun(Domain, row) for row in (await tx.execute(query)).mappings()]


async def delete_domain(tx: Transaction, id: UUID) -> None:
    """Takes a domain away."""
    await tx.execute(delete(domains).where(domains.c.id == id))
