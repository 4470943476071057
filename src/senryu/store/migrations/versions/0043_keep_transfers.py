"""Keep backups, restores, copies and schedules of databases."""

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0043"
down_revision = "0040"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("num", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("from_name", sa.String(length=255), nullable=False),
        sa.Column("to_name", sa.String(length=255), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=True),
        sa.Column("to_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schedule", sa.String(length=120), nullable=True),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("started_at", tables.Moment(), nullable=True),
        sa.Column("finished_at", tables.Moment(), nullable=True),
        sa.Column("canceled_at", tables.Moment(), nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("processed_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_bytes", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_transfers_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("app_id", "num", name=op.f("uq_transfers_app_id_num")),
    )
    op.create_table(
        "transfer_schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("add_on_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.String(length=62), nullable=False),
        sa.Column("due_at", tables.Moment(), nullable=False),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["add_on_id"], ["add_ons.id"], name=op.f("fk_transfer_schedules_add_on_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_schedules")),
    )
    op.create_index(op.f("ix_transfer_schedules_add_on_id"), "transfer_schedules", ["add_on_id"], unique=False)
    op.create_index(op.f("ix_transfer_schedules_due_at"), "transfer_schedules", ["due_at"], unique=False)
