"""Keep which apps sleep, what ran for how long, and which accounts are verified."""

import sqlalchemy as sa
from alembic import op

from senryu.store.tables import Moment

revision = "0052"
down_revision = "0043"


def upgrade() -> None:
    """To this revision."""
    op.add_column("accounts", sa.Column("is_verified", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "sleeping_apps",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_sleeping_apps_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_sleeping_apps")),
    )
    op.create_table(
        "usage",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("app_name", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.String(length=130), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("is_pooled", sa.Boolean(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment()),
        sa.PrimaryKeyConstraint("id", "part", name=op.f("pk_usage")),
    )
    for column in ("payer_id", "app_id", "ended_at"):
        op.create_index(op.f(f"ix_usage_{column}"), "usage", [column])
    op.create_table(
        "usage_totals",
        sa.Column("payer_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.String(length=130), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("is_pooled", sa.Boolean(), nullable=False),
        sa.Column("app_name", sa.String(length=30), nullable=False),
        sa.Column("microseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "payer_id", "month", "app_id", "kind", "name", "size", "price_cents", "is_pooled", name=op.f("pk_usage_totals")
        ),
    )
