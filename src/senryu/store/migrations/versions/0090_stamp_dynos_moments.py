"""Keep by which clock a dyno's moments were written."""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0050"


def upgrade() -> None:
    """To this revision."""
    op.add_column("dynos", sa.Column("clock", sa.String(length=80)))
