"""Keep which features are switched off."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "app_features_off",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=62), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_app_features_off_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app_id", "name", name=op.f("pk_app_features_off")),
    )
