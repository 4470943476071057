"""The tables of add-ons. An add-on outlives its app until its supplier has taken the resource away."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table, Text, UniqueConstraint, Uuid

from .tables import Moment, metadata

# `sealed_config`: what the supplier gave, credentials among it; `sealed_options`: what it was asked for with.
add_ons = Table(
    "add_ons",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("app_id", Uuid, nullable=False, index=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("service", String(62), nullable=False),
    Column("plan", String(62), nullable=False),
    Column("state", String(16), nullable=False),
    Column("sealed_config", LargeBinary, nullable=False),
    Column("sealed_options", LargeBinary),
    Column("message", Text),
    Column("provider_id", String(255)),
    Column("follows", Uuid, index=True),
    Column("next_plan", String(62)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

add_on_attachments = Table(
    "add_on_attachments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("add_on_id", Uuid, ForeignKey("add_ons.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("app_id", Uuid, ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("namespace", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("app_id", "name"),
)

# `sealed_config`: what apps attached by it get; `sealed_password`: the one that is being given to it.
add_on_credentials = Table(
    "add_on_credentials",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("add_on_id", Uuid, ForeignKey("add_ons.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(50), nullable=False),
    Column("state", String(16), nullable=False),
    Column("sealed_config", LargeBinary, nullable=False),
    Column("sealed_password", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("add_on_id", "name"),
)

# Services of others. `sealed_manifest` has its passwords; `client_id` is the OAuth client that the partner gets tokens with.
partners = Table(
    "partners",
    metadata,
    Column("name", String(62), primary_key=True),
    Column("client_id", Uuid, nullable=False),
    Column("sealed_manifest", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)
