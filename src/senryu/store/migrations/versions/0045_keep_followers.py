"""Keep which databases follow others."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0047"


def upgrade() -> None:
    """To this revision."""
    op.add_column("add_ons", sa.Column("follows", sa.Uuid()))
    op.create_index("ix_add_ons_follows", "add_ons", ["follows"])
