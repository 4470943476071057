"""Subscribing to what happens to an app, changing that, and ending it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from uuid import UUID, uuid4

from ..core.account import Account
from ..core.address import Resolver, checked_address
from ..core.app import App
from ..core.clock import Clock
from ..core.errors import Invalid, NotFound
from ..core.limits import WEBHOOK_SECRET_MAX_CHARS, WEBHOOKS_PER_APP_MAX
from ..core.webhook import Webhook, checked_header, checked_include, checked_level, checked_url
from ..store.apps import lock_app
from ..store.database import Database
from ..store.vault import Vault
from ..store.webhooks import create_webhook, delete_webhook, list_webhooks, update_webhook
from .note import ping


async def judged_url(url: str, *, resolver: Resolver, allow_private: bool) -> str:
    """The URL as given. Raises: Invalid when it is none, or leads into a private network."""
    host, port = checked_url(url)
    checked_address(await resolver.addresses(host, port), port, what="the webhook", allow_private=allow_private)
    return url


def _checked_secret(secret: str | None) -> str:
    if secret is not None and len(secret) > WEBHOOK_SECRET_MAX_CHARS:
        raise Invalid(f"`secret` is longer than {WEBHOOK_SECRET_MAX_CHARS} characters.")
    return secret or secrets.token_hex(30)


async def add_webhook(
    app: App,
    url: str,
    include: object,
    level: str,
    *,
    secret: str | None,
    authorization: str | None,
    by: Account,
    resolver: Resolver,
    allow_private: bool,
    db: Database,
    vault: Vault,
    clock: Clock,
) -> Webhook:
    """A new webhook, with a secret made for it when none is given; the first it is told is a ping.

    Raises: Invalid for what cannot be one, an address in a private network, or too many; NotFound when the app is destroyed meanwhile.
    """
    await judged_url(url, resolver=resolver, allow_private=allow_private)
    now = clock.now()
    made = Webhook(
        id=uuid4(),
        app_id=app.id,
        url=url,
        include=checked_include(include),
        level=checked_level(level),
        secret=_checked_secret(secret),
        authorization=checked_header(authorization),
        created_at=now,
        updated_at=now,
    )
    async with db.transaction() as tx:
        held = await lock_app(tx, app.id)
        if held is None:
            raise NotFound(f"{app.name} is destroyed.")
        if len(await list_webhooks(tx, app.id, vault=vault)) >= WEBHOOKS_PER_APP_MAX:
            raise Invalid(f"{app.name} has {WEBHOOKS_PER_APP_MAX} webhooks already; remove one first.", app=app.name)
        await create_webhook(tx, made, vault=vault)
        await ping(tx, held, made, now=now, by=by.id)
    return made


async def one_of(app: App, id: str, *, db: Database, vault: Vault) -> Webhook:
    """An app's webhook by its id. Raises: NotFound."""
    async with db.reading() as tx:
        for webhook in await list_webhooks(tx, app.id, vault=vault):
            if str(webhook.id) == id.lower():
                return webhook
    raise NotFound(f"Couldn't find that webhook of {app.name}; `senryu webhooks` lists them.", app=app.name)


async def change_webhook(
    app: App,
    id: str,
    *,
    url: str | None,
    include: object,
    level: str | None,
    secret: str | None,
    authorization: str | None,
    resolver: Resolver,
    allow_private: bool,
    db: Database,
    vault: Vault,
    clock: Clock,
) -> Webhook:
    """Changes what is given; what waits is sent as the webhook is then. Raises: NotFound, Invalid."""
    found = await one_of(app, id, db=db, vault=vault)
    changed = replace(
        found,
        url=await judged_url(url, resolver=resolver, allow_private=allow_private) if url is not None else found.url,
        include=checked_include(include) if include is not None else found.include,
        level=checked_level(level) if level is not None else found.level,
        secret=_checked_secret(secret) if secret is not None else found.secret,
        authorization=checked_header(authorization) if authorization is not None else found.authorization,
        updated_at=clock.now(),
    )
    async with db.transaction() as tx:
        await update_webhook(tx, changed, vault=vault)
    return changed


async def remove_webhook(app: App, id: str, *, db: Database, vault: Vault) -> Webhook:
    """Ends a webhook; what waits for it is not sent. Raises: NotFound."""
    gone = await one_of(app, id, db=db, vault=vault)
    async with db.transaction() as tx:
        await delete_webhook(tx, gone.id)
    return gone


def uuid_of(text: str) -> UUID:
    """An id from a path. Raises: NotFound."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("Couldn't find that; the id is not one.") from None
