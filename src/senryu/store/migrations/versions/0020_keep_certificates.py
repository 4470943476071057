"""Keep certificates of domains and their orders."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from senryu.store import tables

revision = "0020"
down_revision = "0010"


def _times() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column("created_at", tables.Moment(), nullable=False), sa.Column("updated_at", tables.Moment(), nullable=False)


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "sni_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=62), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("certificate_chain", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("is_acm", sa.Boolean(), nullable=False),
        sa.Column("cert_domains", sa.JSON(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("starts_at", tables.Moment(), nullable=False),
        sa.Column("expires_at", tables.Moment(), nullable=False),
        sa.Column("is_ca_signed", sa.Boolean(), nullable=False),
        sa.Column("is_self_signed", sa.Boolean(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        *_times(),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_sni_endpoints_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sni_endpoints")),
        sa.UniqueConstraint("name", name=op.f("uq_sni_endpoints_name")),
    )
    op.create_index(op.f("ix_sni_endpoints_app_id"), "sni_endpoints", ["app_id"], unique=False)
    op.create_table(
        "certificate_orders",
        sa.Column("domain_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_order", sa.LargeBinary(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_try_at", tables.Moment(), nullable=False),
        *_times(),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"], name=op.f("fk_certificate_orders_domain_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_certificate_orders")),
    )
    op.create_table(
        "acme_accounts",
        sa.Column("directory_url", sa.String(length=512), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("directory_url", name=op.f("pk_acme_accounts")),
    )
    op.add_column("domains", sa.Column("sni_endpoint_id", sa.Uuid(), nullable=True))
    op.add_column("domains", sa.Column("acm_status", sa.String(length=32), nullable=True))
    op.add_column("domains", sa.Column("acm_status_reason", sa.Text(), nullable=True))
    op.create_index(op.f("ix_domains_sni_endpoint_id"), "domains", ["sni_endpoint_id"], unique=False)
    op.add_column("apps", sa.Column("is_acm", sa.Boolean(), nullable=False, server_default=sa.false()))
