"""Keep what add-ons were asked for with, as a crash may come before their supplier hears of it."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0045"


def upgrade() -> None:
    """To this revision."""
    op.add_column("add_ons", sa.Column("sealed_options", sa.LargeBinary(), nullable=True))
