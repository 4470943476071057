"""Keep teams, permissions and app transfers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0010"
down_revision = "0003"


def _times() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column("created_at", tables.Moment(), nullable=False), sa.Column("updated_at", tables.Moment(), nullable=False)


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        *_times(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_teams_name")),
    )
    op.create_table(
        "team_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        *_times(),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_team_members_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_members")),
        sa.UniqueConstraint("team_id", "account_id", name=op.f("uq_team_members_team_id_account_id")),
    )
    op.create_index(op.f("ix_team_members_account_id"), "team_members", ["account_id"], unique=False)
    op.create_table(
        "app_transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        *_times(),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_app_transfers_app_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["accounts.id"], name=op.f("fk_app_transfers_owner_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["recipient_id"], ["accounts.id"], name=op.f("fk_app_transfers_recipient_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_transfers")),
    )
    for column in ("app_id", "owner_id", "recipient_id"):
        op.create_index(op.f(f"ix_app_transfers_{column}"), "app_transfers", [column], unique=False)
    # Columns are added as they are: making these tables anew would lose what refers to them in SQLite.
    op.add_column("apps", sa.Column("team_id", sa.Uuid(), nullable=True))
    op.add_column("apps", sa.Column("is_locked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f("ix_apps_team_id"), "apps", ["team_id"], unique=False)
    op.add_column("collaborators", sa.Column("permissions", sa.JSON(), nullable=True))
