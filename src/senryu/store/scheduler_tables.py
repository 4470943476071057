"""The table of scheduled jobs. They go with their add-on, or their app."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text, Uuid

from .tables import Moment, metadata

scheduled_jobs = Table(
    "scheduled_jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("add_on_id", Uuid, ForeignKey("add_ons.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("app_id", Uuid, ForeignKey("apps.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("command", Text, nullable=False),
    Column("every", String(16), nullable=False),
    Column("at", Integer, nullable=False),
    Column("size", String(63)),
    Column("due_at", Moment, nullable=False, index=True),
    Column("last_due_at", Moment),
    Column("last_dyno_id", Uuid),
    Column("last_outcome", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)
