"""The tables of what belongs to accounts beyond their tokens: second factors, what OAuth clients were let in for, answers to writes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table, Text, Uuid
from sqlalchemy.types import JSON

from .tables import Moment, metadata

two_factors = Table(
    "two_factors",
    metadata,
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed_seed", LargeBinary, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# `code_hash`: SHA-256; codes are random and long, so no slow hash is needed.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("code_hash", String(64), primary_key=True),
)

# A code that an OAuth client trades for tokens, once. `authorization_id`: what it was traded for, to take it back when it comes again.
oauth_codes = Table(
    "oauth_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("client_id", Uuid, ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("authorization_id", Uuid),
)

# What a client was let in for: `refresh_hash` of the token it gets new ones with, `spent_hash` of the one before.
oauth_grants = Table(
    "oauth_grants",
    metadata,
    Column("authorization_id", Uuid, ForeignKey("authorizations.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Uuid, ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("refresh_hash", String(64), nullable=False, unique=True),
    Column("spent_hash", String(64), index=True),
)

# `key`: hash of who asked for what under which Request-Id. Without `sealed_answer`: it was begun and had an effect.
idempotent_answers = Table(
    "idempotent_answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("created_at", Moment, nullable=False, index=True),
    Column("status", Integer),
    Column("sealed_answer", LargeBinary),
)
