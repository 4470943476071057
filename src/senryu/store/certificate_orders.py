"""Orders of certificates, and this platform's accounts at authorities. Keys are sealed."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ..core.certificate_order import Authorization, CertificateOrder, PlacedOrder
from .database import Transaction
from .rows import columns, noun
from .tables import acme_accounts, certificate_orders, domains
from .vault import Vault


async def put_order(tx: Transaction, order: CertificateOrder, key: str | None, *, vault: Vault) -> None:
    """Stores a domain's order in place of the one before. `key` (PEM) is what the certificate is to be for; given with a placed order."""
    sealed = None
    if order.placed is not None:
        shown = [[one.token, one.answer] for one in order.placed.authorizations]
        sealed = vault.seal({"url": order.placed.url, "shown": json.dumps(shown), "key": key or ""})
    await delete_order(tx, order.domain_id)
    await tx.execute(insert(certificate_orders).values(**columns(order, "placed"), sealed_order=sealed))


async def delete_order(tx: Transaction, domain_id: UUID) -> None:
    """Forgets it."""
    await tx.execute(delete(certificate_orders).where(certificate_orders.c.domain_id == domain_id))


async def delete_orders(tx: Transaction, app_id: UUID) -> None:
    """Forgets those of an app's domains."""
    own = select(domains.c.id).where(domains.c.app_id == app_id)
    await tx.execute(delete(certificate_orders).where(certificate_orders.c.domain_id.in_(own)))


async def list_orders(tx: Transaction, *, vault: Vault) -> list[CertificateOrder]:
    """All orders, and the waits between two."""
    rows = (await tx.execute(select(certificate_orders))).mappings()
    return [noun(CertificateOrder, row, placed=_placed(row, vault)) for row in rows]


async def order_key(tx: Transaction, domain_id: UUID, *, vault: Vault) -> str | None:
    """The private key of a placed order."""
    sealed = (await tx.execute(select(certificate_orders.c.sealed_order).where(certificate_orders.c.domain_id == domain_id))).scalar()
    return vault.open(sealed)["key"] if sealed else None


def _placed(row: Any, vault: Vault) -> PlacedOrder | None:
    if row["sealed_order"] is None:
        return None
    opened = vault.open(row["sealed_order"])
    return PlacedOrder(opened["url"], tuple(Authorization(token, answer) for token, answer in json.loads(opened["shown"])))


async def acme_account(tx: Transaction, directory_url: str, *, vault: Vault) -> tuple[str, str | None] | None:
    """The account's private key (PEM) and, once it is registered, its address."""
    row = (await tx.execute(select(acme_accounts).where(acme_accounts.c.directory_url == directory_url))).mappings().first()
    return (vault.open(row["sealed_key"])["key"], row["url"]) if row else None


async def create_acme_account(tx: Transaction, directory_url: str, key: str, *, vault: Vault) -> None:
    """Stores the key of an account, before it is registered."""
    await tx.execute(insert(acme_accounts).values(directory_url=directory_url, sealed_key=vault.seal({"key": key}), url=None))


async def set_acme_account_url(tx: Transaction, directory_url: str, url: str | None) -> None:
    """Stores an account's address; None when the authority does not know it any more."""
    await tx.execute(update(acme_accounts).where(acme_accounts.c.directory_url == directory_url).values(url=url))
