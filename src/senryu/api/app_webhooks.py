"""`app-webhook`, `app-webhook-event`, `app-webhook-delivery`.

Source: the schemas of these names; https://devcenter.heroku.com/articles/app-webhooks-schema; wire contract 5.12
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.webhooks import add_webhook, change_webhook, one_of, remove_webhook, uuid_of
from ..core.app import App
from ..core.errors import Invalid, NotFound
from ..core.limits import WEBHOOK_SECRET_MAX_CHARS, WEBHOOK_URL_MAX_CHARS
from ..core.webhook import DeliveryStatus, Webhook, WebhookDelivery, WebhookEvent, payload
from ..platform import Platform
from ..store.webhooks import find_event, list_deliveries, list_events, list_webhooks
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, needed_text, text
from .links import origin
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()


def shown(webhook: Webhook, app: App) -> dict[str, Any]:
    """The schema's `app-webhook`, with our count of `dropped` deliveries. Secret and Authorization header are not shown again."""
    return {
        "app": {"id": str(app.id), "name": app.name},
        "created_at": iso(webhook.created_at),
        "dropped": webhook.dropped,
        "id": str(webhook.id),
        "include": list(webhook.include),
        "level": webhook.level,
        "updated_at": iso(webhook.updated_at),
        "url": webhook.url,
    }


def shown_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    """The schema's `app-webhook-delivery`."""
    return {
        "created_at": iso(delivery.created_at),
        "event": {"id": str(delivery.event_id), "include": delivery.include},
        "id": str(delivery.id),
        "last_attempt": dict(delivery.last_attempt) if delivery.last_attempt else None,
        "next_attempt_at": iso(delivery.next_attempt_at),
        "num_attempts": delivery.num_attempts,
        "seq": delivery.seq,
        "status": delivery.status.value,
        "updated_at": iso(delivery.updated_at),
        "webhook": {"id": str(delivery.webhook_id), "level": delivery.level},
    }


def urls_of(name: str, platform: Platform) -> dict[str, str]:
    """The addresses of an app, as its own data has them."""
    return {"git_url": f"{origin(platform)}/{name}.git", "web_url": platform.settings.web_url(name)}


def shown_event(event: WebhookEvent, platform: Platform) -> dict[str, Any]:
    """The schema's `app-webhook-event`."""
    return {
        "created_at": iso(event.created_at),
        "id": str(event.id),
        "include": event.include,
        "payload": payload(event, urls_of(str(event.data.get("name", "")), platform)),
        "updated_at": iso(event.created_at),
    }


@router.get("/apps/{app}/webhooks")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        webhooks = await list_webhooks(tx, app.id, vault=platform.vault)
    return listed(request, [shown(webhook, app) for webhook in webhooks], fields=("id", "created_at"))


@router.post("/apps/{app}/webhooks")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create. The secret, given or made, is told this once, in a header as Heroku does."""
    body = await json_body(request)
    made = await add_webhook(
        app,
        needed_text(body, "url", most=WEBHOOK_URL_MAX_CHARS),
        body.get("include"),
        needed_text(body, "level", most=40),
        secret=text(body, "secret", most=WEBHOOK_SECRET_MAX_CHARS),
        authorization=text(body, "authorization", most=WEBHOOK_SECRET_MAX_CHARS),
        by=caller.account,
        resolver=platform.resolver,
        allow_private=platform.settings.allow_private_webhooks,
        db=platform.db,
        vault=platform.vault,
        clock=platform.clock,
    )
    headers = {"Heroku-Webhook-Secret": made.secret} if made.secret.isascii() and made.secret.isprintable() else None
    return JSONResponse(shown(made, app), 201, headers)


@router.get("/apps/{app}/webhooks/{webhook}")
async def info(webhook: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse(shown(await one_of(app, webhook, db=platform.db, vault=platform.vault), app))


@router.patch("/apps/{app}/webhooks/{webhook}")
async def update(webhook: str, request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Update."""
    body = await json_body(request)
    changed = await change_webhook(
        app,
        webhook,
        url=text(body, "url", most=WEBHOOK_URL_MAX_CHARS),
        include=body.get("include"),
        level=text(body, "level", most=40),
        secret=text(body, "secret", most=WEBHOOK_SECRET_MAX_CHARS),
        authorization=text(body, "authorization", most=WEBHOOK_SECRET_MAX_CHARS),
        resolver=platform.resolver,
        allow_private=platform.settings.allow_private_webhooks,
        db=platform.db,
        vault=platform.vault,
        clock=platform.clock,
    )
    return JSONResponse(shown(changed, app))


@router.delete("/apps/{app}/webhooks/{webhook}")
async def delete(webhook: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    return JSONResponse(shown(await remove_webhook(app, webhook, db=platform.db, vault=platform.vault), app))


async def _ids(app: App, platform: Platform) -> list[UUID]:
    async with platform.db.reading() as tx:
        return [webhook.id for webhook in await list_webhooks(tx, app.id, vault=platform.vault)]


@router.get("/apps/{app}/webhook-deliveries")
async def deliveries(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List, all or by `eq[status]`."""
    status = request.query_params.get("eq[status]")
    if status is not None and status not in (*DeliveryStatus, "scheduled"):
        raise Invalid(f"`eq[status]` is none of {', '.join(DeliveryStatus)}.")
    ids = await _ids(app, platform)
    async with platform.db.reading() as tx:
        found = await list_deliveries(tx, ids, status=status)
    return listed(request, [shown_delivery(delivery) for delivery in found], fields=("seq", "id", "created_at"))


@router.get("/apps/{app}/webhook-deliveries/{delivery}")
async def delivery_info(delivery: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    ids = await _ids(app, platform)
    async with platform.db.reading() as tx:
        found = [each for each in await list_deliveries(tx, ids) if str(each.id) == delivery.lower()]
    if not found:
        raise NotFound(f"Couldn't find that webhook delivery of {app.name}.", app=app.name)
    return JSONResponse(shown_delivery(found[0]))


@router.get("/apps/{app}/webhook-events")
async def events(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        found = await list_events(tx, app.id)
    return listed(request, [shown_event(event, platform) for event in found], fields=("id", "created_at"))


@router.get("/apps/{app}/webhook-events/{event}")
async def event_info(event: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    async with platform.db.reading() as tx:
        found = await find_event(tx, uuid_of(event))
    if found is None or found.app_id != app.id:
        raise NotFound(f"Couldn't find that webhook event of {app.name}.", app=app.name)
    return JSONResponse(shown_event(found, platform))
