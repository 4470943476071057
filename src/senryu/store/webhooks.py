"""Webhooks, events and deliveries. Addresses, secrets and headers of receivers are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, insert, select, update

from ..core.webhook import DeliveryStatus, Webhook, WebhookDelivery, WebhookEvent, iso
from .database import NEWS, Transaction
from .rows import columns, noun
from .vault import Vault
from .webhook_tables import app_webhooks, webhook_deliveries, webhook_events

_SEALED = ("url", "secret", "authorization")
_WAITING = (DeliveryStatus.PENDING.value, DeliveryStatus.RETRYING.value)


def _values(webhook: Webhook, vault: Vault, *without: str) -> dict[str, Any]:
    secret = {name: value for name in _SEALED if (value := getattr(webhook, name)) is not None}
    return {**columns(webhook, *_SEALED, *without), "sealed": vault.seal(secret)}


def _webhook(row: Any, vault: Vault) -> Webhook:
    opened = {"authorization": None, **vault.open(row["sealed"])}
    return noun(Webhook, row, include=tuple(row["include"]), **opened)


async def create_webhook(tx: Transaction, webhook: Webhook, *, vault: Vault) -> None:
    """Stores a webhook."""
    await tx.execute(insert(app_webhooks).values(_values(webhook, vault)))


async def update_webhook(tx: Transaction, webhook: Webhook, *, vault: Vault) -> None:
    """Stores what changed of a webhook."""
    values = _values(webhook, vault, "id", "created_at", "dropped")
    await tx.execute(update(app_webhooks).where(app_webhooks.c.id == webhook.id).values(values))


async def list_webhooks(tx: Transaction, app_id: UUID, *, vault: Vault) -> list[Webhook]:
    """An app's webhooks, oldest first."""
    query = select(app_webhooks).where(app_webhooks.c.app_id == app_id, app_webhooks.c.ended_at.is_(None))
    rows = (await tx.execute(query.order_by(app_webhooks.c.created_at, app_webhooks.c.id))).mappings()
    return [_webhook(row, vault) for row in rows]


async def find_webhook(tx: Transaction, id: UUID, *, vault: Vault) -> Webhook | None:
    """A webhook, also of a destroyed app."""
    row = (await tx.execute(select(app_webhooks).where(app_webhooks.c.id == id))).mappings().first()
    return _webhook(row, vault) if row else None


async def delete_webhook(tx: Transaction, id: UUID) -> None:
    """Takes a webhook away, and all of its deliveries."""
    await tx.execute(delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id == id))
    await tx.execute(delete(app_webhooks).where(app_webhooks.c.id == id))


async def end_webhooks(tx: Transaction, app_id: UUID, now: datetime) -> None:
    """The app is destroyed: what waits is still delivered, nothing is added."""
    await tx.execute(update(app_webhooks).where(app_webhooks.c.app_id == app_id, app_webhooks.c.ended_at.is_(None)).values(ended_at=now))


async def subscribers(tx: Transaction, app_id: UUID, include: str) -> list[tuple[UUID, str]]:
    """Id and level of the webhooks of an app that are told of a kind of thing."""
    query = select(app_webhooks.c.id, app_webhooks.c.level, app_webhooks.c.include)
    rows = (await tx.execute(query.where(app_webhooks.c.app_id == app_id, app_webhooks.c.ended_at.is_(None)))).all()
    return [(row.id, row.level) for row in rows if include in row.include]


async def create_event(tx: Transaction, event: WebhookEvent) -> None:
    """Stores an event; once the transaction is committed, whoever delivers is woken."""
    await tx.execute(insert(webhook_events).values(columns(event)))
    tx.info[NEWS] = True


async def create_delivery(tx: Transaction, delivery: WebhookDelivery, *, most: int) -> int:
    """Stores a delivery under the next `seq` (its own is ignored). When `most` wait already, the oldest is failed; gives how many were."""
    waits = (webhook_deliveries.c.webhook_id == delivery.webhook_id) & webhook_deliveries.c.status.in_(_WAITING)
    count = (await tx.execute(select(func.count()).select_from(webhook_deliveries).where(waits))).scalar_one()
    dropped = max(0, count - most + 1)
    if dropped:
        oldest = select(webhook_deliveries.c.seq).where(waits).order_by(webhook_deliveries.c.seq).limit(dropped)
        seqs = list((await tx.execute(oldest)).scalars())
        failed: dict[str, Any] = {"status": DeliveryStatus.FAILED.value, "next_attempt_at": None, "updated_at": delivery.created_at}
        at = {"created_at": iso(delivery.created_at), "updated_at": iso(delivery.created_at)}
        failed["last_attempt"] = {"id": str(uuid4()), "code": None, "error_class": "Dropped", "status": "failed", **at}
        await tx.execute(update(webhook_deliveries).where(webhook_deliveries.c.seq.in_(seqs)).values(failed))
        counted = update(app_webhooks).where(app_webhooks.c.id == delivery.webhook_id)
        await tx.execute(counted.values(dropped=app_webhooks.c.dropped + dropped))
    await tx.execute(insert(webhook_deliveries).values(columns(delivery, "seq")))
    return dropped


def _delivery(row: Any) -> WebhookDelivery:
    return noun(WebhookDelivery, row, status=DeliveryStatus(row["status"]))


async def list_deliveries(tx: Transaction, webhook_ids: Sequence[UUID], *, status: str | None = None) -> list[WebhookDelivery]:
    """Deliveries to some webhooks, oldest first."""
    query = select(webhook_deliveries).where(webhook_deliveries.c.webhook_id.in_(webhook_ids)).order_by(webhook_deliveries.c.seq)
    if status is not None:
        query = query.where(webhook_deliveries.c.status == status)
    return [_delivery(row) for row in (await tx.execute(query)).mappings()]


async def next_deliveries(tx: Transaction) -> list[WebhookDelivery]:
    """The delivery each webhook waits with: the oldest that is neither done nor given up."""
    heads = select(func.min(webhook_deliveries.c.seq)).where(webhook_deliveries.c.status.in_(_WAITING))
    heads = heads.group_by(webhook_deliveries.c.webhook_id)
    query = select(webhook_deliveries).where(webhook_deliveries.c.seq.in_(heads)).order_by(webhook_deliveries.c.seq)
    return [_delivery(row) for row in (await tx.execute(query)).mappings()]


async def settle_delivery(tx: Transaction, delivery: WebhookDelivery) -> None:
    """Stores what an attempt came to, unless the delivery was dropped or taken away meanwhile."""
    wanted = (webhook_deliveries.c.seq == delivery.seq) & webhook_deliveries.c.status.in_(_WAITING)
    values = columns(replace(delivery), "id", "seq", "created_at", "webhook_id", "event_id")
    await tx.execute(update(webhook_deliveries).where(wanted).values(values))


async def find_event(tx: Transaction, id: UUID) -> WebhookEvent | None:
    """One event."""
    row = (await tx.execute(select(webhook_events).where(webhook_events.c.id == id))).mappings().first()
    return noun(WebhookEvent, row) if row else None


async def list_events(tx: Transaction, app_id: UUID) -> list[WebhookEvent]:
    """An app's events that are still kept, oldest first."""
    query = select(webhook_events).where(webhook_events.c.app_id == app_id).order_by(webhook_events.c.created_at, webhook_events.c.id)
    return [noun(WebhookEvent, row) for row in (await tx.execute(query)).mappings()]


async def prune_deliveries(tx: Transaction, before: datetime, *, most: int) -> None:
    """Forgets deliveries that were done before a time or are not among the newest `most` of their webhook; then events and ended
    webhooks that no delivery needs."""
    table = webhook_deliveries
    is_done = table.c.status.not_in(_WAITING)
    await tx.execute(delete(table).where(is_done, table.c.updated_at < before))
    for webhook_id in list((await tx.execute(select(table.c.webhook_id).distinct())).scalars()):
        newest = select(table.c.seq).where(table.c.webhook_id == webhook_id, is_done).order_by(table.c.seq.desc())
        beyond = (await tx.execute(newest.offset(most).limit(1))).scalar()
        if beyond is not None:
            await tx.execute(delete(table).where(table.c.webhook_id == webhook_id, is_done, table.c.seq <= beyond))
    await tx.execute(delete(webhook_events).where(webhook_events.c.id.not_in(select(table.c.event_id))))
    ended = app_webhooks.c.ended_at.is_not(None) & app_webhooks.c.id.not_in(select(table.c.webhook_id).where(table.c.status.in_(_WAITING)))
    await tx.execute(delete(app_webhooks).where(ended))
