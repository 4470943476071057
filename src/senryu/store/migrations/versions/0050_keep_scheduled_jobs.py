"""Keep scheduled jobs."""

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0050"
down_revision = "0031"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "scheduled_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("add_on_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("every", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("size", sa.String(length=63), nullable=True),
        sa.Column("due_at", tables.Moment(), nullable=False),
        sa.Column("last_due_at", tables.Moment(), nullable=True),
        sa.Column("last_dyno_id", sa.Uuid(), nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=True),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["add_on_id"], ["add_ons.id"], name=op.f("fk_scheduled_jobs_add_on_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_scheduled_jobs_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_jobs")),
    )
    for column in ("add_on_id", "app_id", "due_at"):
        op.create_index(op.f(f"ix_scheduled_jobs_{column}"), "scheduled_jobs", [column], unique=False)
