"""Keep which plan an add-on is being changed to, as a crash may come before its supplier's answer is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0061"


def upgrade() -> None:
    """To this revision."""
    op.add_column("add_ons", sa.Column("next_plan", sa.String(62), nullable=True))
