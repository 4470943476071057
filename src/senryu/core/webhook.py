"""App webhooks: who is told of what happens to an app, what they are told, and when it is tried again.

Source: https://devcenter.heroku.com/articles/app-webhooks, /articles/app-webhooks-schema, changelog 2525; schemas `app-webhook`,
`app-webhook-event`, `app-webhook-delivery`.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from . import limits
from .errors import Invalid

ENTITIES: Final = (
    "api:addon",
    "api:addon-attachment",
    "api:app",
    "api:build",
    "api:collaborator",
    "api:domain",
    "api:dyno",
    "api:formation",
    "api:release",
    "api:sni-endpoint",
)
PING: Final = "ping"
LEVELS: Final = ("notify", "sync")
_PORTS: Final = {"https": 443, "http": 80}
_FORM: Final = "use one such as https://example.com/hooks"
VERSION: Final = "application/vnd.heroku+json; version=3"


class DeliveryStatus(StrEnum):
    """Spelled as the API spells it; `pending` and `retrying` ones wait."""

    PENDING = "pending"
    RETRYING = "retrying"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription. `url`, `secret` and `authorization` are kept sealed; `dropped` counts deliveries that found no room;
    `ended_at` is set when its app is destroyed: what waits is still delivered."""

    id: UUID
    app_id: UUID
    url: str
    include: tuple[str, ...]
    level: str
    secret: str
    authorization: str | None
    created_at: datetime
    updated_at: datetime
    dropped: int = 0
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What happened, once for all who are told. `data` is the resource after it (before it, when destroyed), `previous_data` what
    differed before."""

    id: UUID
    app_id: UUID
    include: str
    action: str
    actor: Mapping[str, str]
    data: Mapping[str, Any]
    previous_data: Mapping[str, Any]
    created_at: datetime

    @property
    def resource(self) -> str:
        """The kind of thing: `release` for `api:release`."""
        return "webhook" if self.include == PING else self.include.removeprefix("api:")


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event's way to one webhook. `seq` orders them; `last_attempt` is as the schema has it."""

    id: UUID
    seq: int
    webhook_id: UUID
    event_id: UUID
    include: str
    level: str
    status: DeliveryStatus
    num_attempts: int
    created_at: datetime
    updated_at: datetime
    next_attempt_at: datetime | None = None
    last_attempt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a request: the status of the answer, or the class of the error there was instead."""

    code: int | None = None
    error_class: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the receiver took it."""
        return self.code is not None and 200 <= self.code < 300


class Poster(Protocol):
    """Sends requests to addresses users named. The real one is in `poster.py`."""

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answered:
        """One request, within limits.WEBHOOK_TIMEOUT_S; redirects are not followed. Never raises but for being cancelled."""


def checked_url(url: str) -> tuple[str, int]:
    """Host and port of a webhook's URL. Raises: Invalid when it is none."""
    if len(url) > limits.WEBHOOK_URL_MAX_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(f"The webhook's URL is not well formed; {_FORM}.")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        raise Invalid(f"The webhook's URL is not well formed; {_FORM}.") from None
    if scheme not in _PORTS or not host or port == 0:
        raise Invalid(f"The webhook's URL is not one of http or https; {_FORM}.")
    return host, port or _PORTS[scheme]


def checked_include(include: object) -> tuple[str, ...]:
    """The entities, each once and in full (the client takes `dyno` for `api:dyno`). Raises: Invalid, naming those there are."""
    if not isinstance(include, list) or not include or not all(isinstance(entity, str) for entity in include):
        raise Invalid("`include` must be a list of entities, such as api:release.")
    full = tuple(dict.fromkeys(entity if entity.startswith("api:") else f"api:{entity}" for entity in include))
    for entity in full:
        if entity not in ENTITIES:
            raise Invalid(f"`{entity[:60]}` is not something webhooks tell of. Entities are {', '.join(ENTITIES)}.")
    return full


def checked_level(level: str) -> str:
    """Raises: Invalid."""
    if level not in LEVELS:
        raise Invalid(f"`level` is `{level[:40]}`; use notify (one try) or sync (tried again until it works).")
    return level


def checked_header(value: str | None) -> str | None:
    """An Authorization header. Raises: Invalid when it is none that can be sent."""
    if value is not None and (not value.isascii() or not value.isprintable() or len(value) > limits.WEBHOOK_SECRET_MAX_CHARS):
        raise Invalid("`authorization` must be a header's value in ASCII, such as `Bearer 0123`.")
    return value or None


def signature(secret: str, body: bytes) -> str:
    """The value of Heroku-Webhook-Hmac-SHA256."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def iso(moment: datetime) -> str:
    """As the API writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def payload(event: WebhookEvent, urls: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What an event tells. `urls` are those of an app's own data (`web_url`, `git_url`), which the database does not know."""
    data = {**event.data, **(urls or {})} if event.resource == "app" else dict(event.data)
    return {
        "action": event.action,
        "actor": dict(event.actor),
        "created_at": iso(event.created_at),
        "data": data,
        "id": str(event.id),
        "previous_data": dict(event.previous_data),
        "published_at": iso(event.created_at),
        "resource": event.resource,
        "sequence": None,
        "updated_at": iso(event.created_at),
        "version": VERSION,
    }


def body_of(event: WebhookEvent, delivery: WebhookDelivery, attempt_id: UUID, urls: Mapping[str, str] | None = None) -> bytes:
    """The request's body."""
    told = payload(event, urls)
    told["webhook_metadata"] = {
        "attempt": {"id": str(attempt_id)},
        "delivery": {"id": str(delivery.id)},
        "event": {"id": str(event.id), "include": event.include},
        "webhook": {"id": str(delivery.webhook_id)},
    }
    return json.dumps(told).encode()


def headers_of(webhook: Webhook, body: bytes) -> list[tuple[str, str]]:
    """The request's headers. Credentials in the URL are sent unless the webhook has an Authorization header of its own."""
    headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", "Heroku-Webhooks/1.0 (Senryu)"),
        ("Heroku-Webhook-Hmac-SHA256", signature(webhook.secret, body)),
    ]
    given = unquote(urlsplit(webhook.url).netloc.rpartition("@")[0])
    if webhook.authorization:
        headers.append(("Authorization", webhook.authorization))
    elif given:
        headers.append(("Authorization", "Basic " + base64.b64encode(given.encode()).decode()))
    return headers


def next_delay_s(attempts: int, age_s: float, chance: float) -> float | None:
    """How long to wait after so many failed attempts; None to give up: doubling to an hour, for 72 hours.

    Takes: `age_s`, how long ago the event was; `chance`, from 0 to 1, which spreads receivers that came back.
    """
    if age_s >= limits.WEBHOOK_TRIED_FOR_S:
        return None
    return float(min(limits.WEBHOOK_RETRY_FIRST_S * 2.0 ** min(attempts - 1, 20), limits.WEBHOOK_RETRY_MAX_S)) * (0.9 + 0.2 * chance)
