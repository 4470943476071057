"""Let the content be elsewhere."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.alter_column("pictures", "content", nullable=True)


def downgrade() -> None:
    op.alter_column("pictures", "content", nullable=False)
