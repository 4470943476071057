"""Keep webhooks, their events and deliveries."""

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0004"
down_revision = "0020"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "app_webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("include", sa.JSON(), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.Column("ended_at", tables.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_webhooks")),
    )
    op.create_index(op.f("ix_app_webhooks_app_id"), "app_webhooks", ["app_id"], unique=False)
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("include", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.JSON(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("previous_data", sa.JSON(), nullable=False),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )
    op.create_index(op.f("ix_webhook_events_app_id"), "webhook_events", ["app_id"], unique=False)
    _deliveries()


def _deliveries() -> None:
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "webhook_deliveries",
        sa.Column("seq", counted, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("include", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("num_attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.Column("next_attempt_at", tables.Moment(), nullable=True),
        sa.Column("last_attempt", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_webhook_deliveries_id")),
    )
    op.create_index(op.f("ix_webhook_deliveries_event_id"), "webhook_deliveries", ["event_id"], unique=False)
    op.create_index("ix_webhook_deliveries_webhook_id_status", "webhook_deliveries", ["webhook_id", "status"], unique=False)
    op.create_index("ix_webhook_deliveries_status", "webhook_deliveries", ["status"], unique=False)
