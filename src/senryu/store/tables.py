"""The tables. Migrations say how a database came to have them; a test keeps the two equal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import JSON, TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite has no zones, so it is stored without and given back with one."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """PostgreSQL keeps the zone, SQLite cannot."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC, naive for SQLite."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Column[Any]:
    return Column("id", Uuid, primary_key=True)


def _app(**options: Any) -> Column[Any]:
    return Column("app_id", Uuid, ForeignKey("apps.id", ondelete="CASCADE"), nullable=False, **options)


def _times() -> tuple[Column[Any], Column[Any]]:
    return Column("created_at", Moment, nullable=False), Column("updated_at", Moment, nullable=False)


accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", Text),
    Column("password_hash", Text, nullable=False),
    Column("is_operator", Boolean, nullable=False),
    *_times(),
    Column("last_login", Moment),
    Column("is_verified", Boolean, nullable=False, server_default=false()),
)

invitations = Table(
    "invitations",
    metadata,
    _id(),
    Column("email", String(254), nullable=False, unique=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    *_times(),
)

settings = Table("settings", metadata, Column("name", String(64), primary_key=True), Column("content", JSON, nullable=False))

authorizations = Table(
    "authorizations",
    metadata,
    _id(),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("scope", JSON, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("masked", String(80), nullable=False),
    *_times(),
    Column("expires_at", Moment),
)

ssh_keys = Table(
    "ssh_keys",
    metadata,
    _id(),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("fingerprint", String(47), nullable=False),
    *_times(),
    UniqueConstraint("account_id", "fingerprint"),
)

oauth_clients = Table(
    "oauth_clients",
    metadata,
    _id(),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    *_times(),
)

teams = Table("teams", metadata, _id(), Column("name", String(50), nullable=False, unique=True), *_times())

team_members = Table(
    "team_members",
    metadata,
    _id(),
    Column("team_id", Uuid, ForeignKey("teams.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role", String(16), nullable=False),
    *_times(),
    UniqueConstraint("team_id", "account_id"),
)

apps = Table(
    "apps",
    metadata,
    _id(),
    Column("name", String(30), nullable=False, unique=True),
    Column("owner_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("stack", String(62), nullable=False),
    Column("build_stack", String(62), nullable=False),
    Column("is_maintenance", Boolean, nullable=False),
    *_times(),
    Column("released_at", Moment),
    Column("slug_size_bytes", BigInteger),
    Column("repo_size_bytes", BigInteger),
    Column("buildpack_provided_description", Text),
    Column("team_id", Uuid, index=True),  # no reference: SQLite cannot add one to a table that is there
    Column("is_locked", Boolean, nullable=False, server_default=false()),
    Column("is_acm", Boolean, nullable=False, server_default=false()),
)

app_transfers = Table(
    "app_transfers",
    metadata,
    _id(),
    _app(index=True),
    Column("owner_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("recipient_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    *_times(),
)

collaborators = Table(
    "collaborators",
    metadata,
    _id(),
    _app(),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    *_times(),
    Column("permissions", JSON),
    UniqueConstraint("app_id", "account_id"),
)

slugs = Table(
    "slugs",
    metadata,
    _id(),
    _app(index=True),
    Column("checksum", String(64)),
    Column("size_bytes", BigInteger, nullable=False),
    Column("process_types", JSON, nullable=False),
    Column("stack", String(62), nullable=False),
    Column("commit", Text),
    Column("commit_description", Text),
    Column("buildpack_provided_description", Text),
    Column("buildpacks", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

builds = Table(
    "builds",
    metadata,
    _id(),
    _app(index=True),
    Column("user_id", Uuid, ForeignKey("accounts.id"), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("source_key", Text, nullable=False),
    Column("source_version", Text),
    Column("source_version_description", Text),
    Column("stack", String(62), nullable=False),
    Column("buildpacks", JSON, nullable=False),
    *_times(),
    Column("slug_id", Uuid),
    Column("release_id", Uuid),
    Column("failure", Text),
)

releases = Table(
    "releases",
    metadata,
    _id(),
    _app(),
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("user_id", Uuid, ForeignKey("accounts.id"), nullable=False),
    Column("sealed_config_vars", LargeBinary, nullable=False),
    Column("process_types", JSON, nullable=False),
    Column("slug_id", Uuid, ForeignKey("slugs.id")),
    Column("stack", String(62), nullable=False),
    Column("brings_code", Boolean, nullable=False),
    *_times(),
    Column("commit", Text),
    Column("failure", Text),
    Column("timing", JSON),
    UniqueConstraint("app_id", "version"),
)

process_types = Table(
    "process_types",
    metadata,
    _id(),
    _app(),
    Column("type", String(63), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("size", String(32), nullable=False),
    *_times(),
    UniqueConstraint("app_id", "type"),
)

dynos = Table(
    "dynos",
    metadata,
    _id(),
    _app(index=True),
    Column("kind", String(16), nullable=False),
    Column("type", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("release_id", Uuid, ForeignKey("releases.id", ondelete="CASCADE"), nullable=False),
    Column("release_version", Integer, nullable=False),
    Column("command", Text, nullable=False),
    Column("size", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("port", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("retiring", String(16)),
    Column("drained_at", Moment),
    Column("stopped_at", Moment),
    Column("killed_at", Moment),
    Column("ended_at", Moment),
    Column("exit_code", Integer),
    Column("expires_at", Moment),
    Column("clock", String(80)),
    Column("sealed_env", LargeBinary),
    Column("terminal", JSON),
)

domains = Table(
    "domains",
    metadata,
    _id(),
    _app(index=True),
    Column("hostname", String(253), nullable=False, unique=True),
    *_times(),
    Column("sni_endpoint_id", Uuid, index=True),  # no reference: SQLite cannot add one to a table that is there
    Column("acm_status", String(32)),
    Column("acm_status_reason", Text),
)

sni_endpoints = Table(
    "sni_endpoints",
    metadata,
    _id(),
    _app(index=True),
    Column("name", String(62), nullable=False, unique=True),
    Column("display_name", Text),
    Column("certificate_chain", Text, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
    Column("is_acm", Boolean, nullable=False),
    Column("cert_domains", JSON, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("is_ca_signed", Boolean, nullable=False),
    Column("is_self_signed", Boolean, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    *_times(),
)

# `sealed_order`: the order's address, what is shown for it, and the key that will be the certificate's; none between tries.
certificate_orders = Table(
    "certificate_orders",
    metadata,
    Column("domain_id", Uuid, ForeignKey("domains.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed_order", LargeBinary),
    Column("failures", Integer, nullable=False),
    Column("next_try_at", Moment, nullable=False),
    *_times(),
)

# This platform at certificate authorities, by the address of their directory.
acme_accounts = Table(
    "acme_accounts",
    metadata,
    Column("directory_url", String(512), primary_key=True),
    Column("url", Text),
    Column("sealed_key", LargeBinary, nullable=False),
)

# `sealed_url`: a drain's address holds the credentials of its receiver.
log_drains = Table(
    "log_drains",
    metadata,
    _id(),
    _app(index=True),
    Column("sealed_url", LargeBinary, nullable=False),
    Column("token", String(38), nullable=False, unique=True),
    Column("after_seq", BigInteger, nullable=False),
    *_times(),
)

buildpack_installations = Table(
    "buildpack_installations",
    metadata,
    _app(primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("url", Text, nullable=False),
)

app_features_off = Table(
    "app_features_off", metadata, _app(primary_key=True), Column("name", String(62), primary_key=True)
)

stacks = Table(
    "stacks",
    metadata,
    _id(),
    Column("name", String(62), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    *_times(),
)

sources = Table(
    "sources",
    metadata,
    _id(),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
)

# What a destroyed app left outside the database, until it is cleared away. No reference to apps: the row is gone.
remains = Table(
    "remains",
    metadata,
    Column("app_id", Uuid, primary_key=True),
    Column("checksums", JSON, nullable=False),
    Column("streams", JSON, nullable=False),
    Column("dynos", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
)

Index("ix_releases_app_id_status", releases.c.app_id, releases.c.status)
