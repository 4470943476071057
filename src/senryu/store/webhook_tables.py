"""The tables of webhooks. No references to apps: what waits is delivered also when its app is gone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Uuid
from sqlalchemy.types import JSON

from .tables import Moment, metadata

_COUNTED = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts INTEGER keys only

# `sealed`: the address, the secret and the Authorization header, which hold the credentials of the receiver.
app_webhooks = Table(
    "app_webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("app_id", Uuid, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("include", JSON, nullable=False),
    Column("level", String(8), nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("ended_at", Moment),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("app_id", Uuid, nullable=False, index=True),
    Column("include", String(40), nullable=False),
    Column("action", String(16), nullable=False),
    Column("actor", JSON, nullable=False),
    Column("data", JSON, nullable=False),
    Column("previous_data", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("seq", _COUNTED, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("webhook_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False, index=True),
    Column("include", String(40), nullable=False),
    Column("level", String(8), nullable=False),
    Column("status", String(16), nullable=False),
    Column("num_attempts", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("next_attempt_at", Moment),
    Column("last_attempt", JSON),
)

Index("ix_webhook_deliveries_webhook_id_status", webhook_deliveries.c.webhook_id, webhook_deliveries.c.status)
Index("ix_webhook_deliveries_status", webhook_deliveries.c.status)
