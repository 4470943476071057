"""The tables of databases' backups, restores and copies. They outlive their add-ons: a backup is there when its database is gone."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint, Uuid

from .tables import Moment, metadata

transfers = Table(
    "transfers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("app_id", Uuid, ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("num", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("from_name", String(255), nullable=False),
    Column("to_name", String(255), nullable=False),
    Column("from_id", Uuid),
    Column("to_id", Uuid),
    Column("source", Text, nullable=False),
    Column("schedule", String(120)),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("canceled_at", Moment),
    Column("succeeded", Boolean, nullable=False),
    Column("warnings", Integer, nullable=False),
    Column("processed_bytes", BigInteger, nullable=False),
    Column("source_bytes", BigInteger, nullable=False),
    Column("lines", JSON, nullable=False),
    UniqueConstraint("app_id", "num"),
)

transfer_schedules = Table(
    "transfer_schedules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("add_on_id", Uuid, ForeignKey("add_ons.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(120), nullable=False),
    Column("hour", Integer, nullable=False),
    Column("timezone", String(62), nullable=False),
    Column("due_at", Moment, nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
)
