"""Certificates of apps. Their private keys are sealed and opened only for the router."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.sni_endpoint import SniEndpoint, SslCert
from .database import Transaction
from .rows import columns, noun
from .tables import domains, sni_endpoints
from .vault import Vault


def _columns(endpoint: SniEndpoint) -> dict[str, Any]:
    return {**columns(endpoint, "ssl_cert"), **columns(endpoint.ssl_cert)}


def _endpoint(row: Any) -> SniEndpoint:
    return noun(SniEndpoint, row, ssl_cert=noun(SslCert, row, cert_domains=tuple(row["cert_domains"])))


async def create_sni_endpoint(tx: Transaction, endpoint: SniEndpoint, private_key: str, *, vault: Vault) -> None:
    """Stores a certificate and its key (PEM). Raises: Conflict when the name is taken."""
    await tx.execute(insert(sni_endpoints).values(**_columns(endpoint), sealed_key=vault.seal({"key": private_key})))


async def update_sni_endpoint(tx: Transaction, endpoint: SniEndpoint, private_key: str | None, *, vault: Vault) -> None:
    """Stores what changed; the key stays when none is given."""
    changed = _columns(endpoint)
    if private_key is not None:
        changed["sealed_key"] = vault.seal({"key": private_key})
    await tx.execute(update(sni_endpoints).where(sni_endpoints.c.id == endpoint.id).values(changed))


async def list_sni_endpoints(tx: Transaction, app_id: UUID | None = None) -> list[SniEndpoint]:
    """An app's certificates, or those of all apps, by name."""
    query = select(sni_endpoints).order_by(sni_endpoints.c.name)
    if app_id is not None:
        query = query.where(sni_endpoints.c.app_id == app_id)
    return [_endpoint(row) for row in (await tx.execute(query)).mappings()]


async def delete_sni_endpoint(tx: Transaction, id: UUID) -> None:
    """Takes a certificate away; its domains have none then."""
    await tx.execute(update(domains).where(domains.c.sni_endpoint_id == id).values(sni_endpoint_id=None))
    await tx.execute(delete(sni_endpoints).where(sni_endpoints.c.id == id))


async def delete_lost_acm_endpoints(tx: Transaction) -> None:
    """Takes automatic certificates away whose domain is gone."""
    used = select(domains.c.sni_endpoint_id).where(domains.c.sni_endpoint_id.is_not(None))
    await tx.execute(delete(sni_endpoints).where(sni_endpoints.c.is_acm, sni_endpoints.c.id.not_in(used)))


async def wanted_certificates(tx: Transaction) -> dict[str, tuple[UUID, str]]:
    """Host → (certificate, its fingerprint), for every domain that has one."""
    joined = domains.join(sni_endpoints, domains.c.sni_endpoint_id == sni_endpoints.c.id)
    query = select(domains.c.hostname, sni_endpoints.c.id, sni_endpoints.c.fingerprint).select_from(joined)
    return {hostname: (id, fingerprint) for hostname, id, fingerprint in await tx.execute(query)}


async def bundles(tx: Transaction, ids: Collection[UUID], *, vault: Vault) -> dict[UUID, str]:
    """Chain and private key of certificates, in PEM, as the router takes them."""
    query = select(sni_endpoints).where(sni_endpoints.c.id.in_(ids))
    rows = (await tx.execute(query)).mappings().all()
    return {row["id"]: f"{row['certificate_chain'].rstrip()}\n{vault.open(row['sealed_key'])['key']}" for row in rows}
