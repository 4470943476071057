"""Keep add-ons and their attachments."""

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0030"
down_revision = "0005"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "add_ons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("service", sa.String(length=62), nullable=False),
        sa.Column("plan", sa.String(length=62), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sealed_config", sa.LargeBinary(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_add_ons")),
        sa.UniqueConstraint("name", name=op.f("uq_add_ons_name")),
    )
    op.create_index(op.f("ix_add_ons_app_id"), "add_ons", ["app_id"], unique=False)
    op.create_table(
        "add_on_attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("add_on_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=True),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["add_on_id"], ["add_ons.id"], name=op.f("fk_add_on_attachments_add_on_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_add_on_attachments_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_add_on_attachments")),
        sa.UniqueConstraint("app_id", "name", name=op.f("uq_add_on_attachments_app_id_name")),
    )
    op.create_index(op.f("ix_add_on_attachments_add_on_id"), "add_on_attachments", ["add_on_id"], unique=False)
