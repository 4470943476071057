"""Keep services of others, and what they call the add-ons they made."""

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0047"
down_revision = "0052"


def upgrade() -> None:
    """To this revision."""
    op.add_column("add_ons", sa.Column("provider_id", sa.String(length=255), nullable=True))
    op.create_table(
        "partners",
        sa.Column("name", sa.String(length=62), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_manifest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", tables.Moment(), nullable=False),
        sa.Column("updated_at", tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_partners")),
    )
