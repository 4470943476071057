"""Keep credentials of databases."""

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0040"
down_revision = "0090"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "add_on_credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("add_on_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sealed_config", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["add_on_id"], ["add_ons.id"], name=op.f("fk_add_on_credentials_add_on_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_add_on_credentials")),
        sa.UniqueConstraint("add_on_id", "name", name=op.f("uq_add_on_credentials_add_on_id_name")),
    )
