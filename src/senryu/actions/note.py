"""Noting for an app's webhooks what happened, in the transaction in which it happens: neither is there without the other."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import structlog

from ..core.app import App
from ..core.limits import WEBHOOK_WAITING_MAX
from ..core.webhook import DeliveryStatus, Webhook, WebhookDelivery, WebhookEvent
from ..core.webhook_data import Noun, data_of, differing, entity, people
from ..store.accounts import find_accounts
from ..store.database import Transaction
from ..store.webhooks import create_delivery, create_event, subscribers

_log = structlog.get_logger("webhooks")


async def note(
    tx: Transaction, app: App, thing: Noun, action: str, *, now: datetime, by: UUID | None = None, was: Noun | None = None
) -> None:
    """Notes that `thing` was made (`create`), changed from `was` (`update`) or is gone (`destroy`), for webhooks that are told of it.

    Takes: `by`, the account that did it; None when the platform did, which is told as the app's owner's doing. One query when there is
    no such webhook.
    """
    found = await subscribers(tx, app.id, entity(thing))
    if found:
        await _note(tx, app, thing, action, now, by or app.owner_id, was, found)


async def ping(tx: Transaction, app: App, webhook: Webhook, *, now: datetime, by: UUID) -> None:
    """The first thing a new webhook is told, so that its owner sees whether it works."""
    await _note(tx, app, webhook, "create", now, by, None, [(webhook.id, webhook.level)])


async def _note(
    tx: Transaction, app: App, thing: Noun, action: str, now: datetime, by: UUID, was: Noun | None, told: list[tuple[UUID, str]]
) -> None:
    accounts = await find_accounts(tx, people(thing) | (people(was) if was else set()) | {by})
    emails = {id: account.email for id, account in accounts.items()}
    data = data_of(thing, app, emails)
    before = differing(data_of(was, app, emails), data) if was else {}
    actor = {"email": emails.get(by, ""), "id": str(by)}
    event = WebhookEvent(uuid4(), app.id, entity(thing), action, actor, data, before, now)
    await create_event(tx, event)
    for webhook_id, level in told:
        delivery = WebhookDelivery(uuid4(), 0, webhook_id, event.id, event.include, level, DeliveryStatus.PENDING, 0, now, now, now)
        dropped = await create_delivery(tx, delivery, most=WEBHOOK_WAITING_MAX)
        if dropped:
            _log.warning("delivery dropped", app=app.name, webhook=str(webhook_id), count=dropped, waiting=WEBHOOK_WAITING_MAX)
