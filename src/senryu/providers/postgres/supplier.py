"""Makes, changes and takes away databases of tenants on one PostgreSQL server.

Each add-on has a database, a group role of the same name (pg_hba's `samerole` lets only its members in) and a login role. Names are
drawn from the add-on's id, so that a call repeated after a crash finds what the first one made.

Source: PostgreSQL documentation, "Client Authentication", "Database Roles", CREATE DATABASE.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ...core.add_on import AddOnService, Plan, Supplier
from ...core.errors import Invalid, Unavailable
from . import scram
from .connect import Server, connected
from .plans import SERVICE

_TEMP_FILES = "1GB"
# What a tenant may change for itself only: how long a statement and a forgotten transaction may hold others up.
_ROLE_SETTINGS = (f"temp_file_limit = '{_TEMP_FILES}'", "idle_in_transaction_session_timeout = '1h'")


def names(id: UUID) -> tuple[str, str]:
    """The database (and group role) and the login role of an add-on: `d…`, `u…`. Neither tells anything of its owner."""
    digest = hashlib.sha256(id.bytes).hexdigest()
    return f"d{digest[:16]}", f"u{digest[16:32]}"


class PostgresSupplier:
    """See Supplier."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return SERVICE

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str]:
        """See Supplier. Gives `{"URL": "postgres://…"}`. Repeating it sets another password."""
        if unknown := options.keys() - {"version"}:
            raise Invalid(f"{SERVICE.name} has no option {', '.join(sorted(unknown))[:80]}.")
        database, role = names(id)
        password = f"p{secrets.token_hex(32)}"
        async with connected(self._server) as (admin, reached):
            await _make_role(admin, database)
            await _make_role(admin, role)
            await admin.execute(f"GRANT {database} TO {role}")
            for setting in _ROLE_SETTINGS:
                await admin.execute(f"ALTER ROLE {role} SET {setting}")
            secret = scram.verifier(password, secrets.token_bytes(16))
            limit = plan.limits["connections"]
            await admin.execute(f"ALTER ROLE {role} LOGIN CONNECTION LIMIT {limit} PASSWORD '{secret}'")
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
                await admin.execute(f"CREATE DATABASE {database} CONNECTION LIMIT {limit}")
            await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            await admin.execute(f"GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {database} TO {database}")
        async with connected(self._server, database) as (inside, _):
            await _furnish(inside, role)
        return {"URL": f"postgres://{role}:{password}@{reached.host}:{reached.port}/{database}"}

    async def change_plan(self, id: UUID, plan: Plan) -> None:
        """See Supplier."""
        database, role = names(id)
        async with connected(self._server) as (admin, _):
            used = await admin.fetchval("SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1", database)
            if used is None:
                raise Unavailable("The database of this add-on is not there; restore it from a backup, or destroy the add-on.")
            if used > plan.limits["bytes"]:
                raise Invalid(f"The database has {used} bytes, {plan.name} may have {plan.limits['bytes']}; delete some first.")
            limit = plan.limits["connections"]
            await admin.execute(f"ALTER ROLE {role} CONNECTION LIMIT {limit}")
            await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT {limit}")

    async def deprovision(self, id: UUID) -> None:
        """See Supplier."""
        database, role = names(id)
        async with connected(self._server) as (admin, _):
            await admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            members = await admin.fetch(
                "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member"
                " WHERE g.rolname = $1",
                database,
            )
            for name in {role, database, *(row["rolname"] for row in members)}:
                quoted = name.replace('"', '""')
                await admin.execute(f'DROP ROLE IF EXISTS "{quoted}"')


async def _make_role(admin: Any, name: str) -> None:
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        await admin.execute(f"CREATE ROLE {name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


async def _furnish(inside: Any, role: str) -> None:
    """The schemas of a new database: `public` is the tenant's, extensions go into `heroku_ext`."""
    await inside.execute(f"ALTER SCHEMA public OWNER TO {role}")
    await inside.execute(f"CREATE SCHEMA IF NOT EXISTS heroku_ext AUTHORIZATION {role}")
    await inside.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA heroku_ext")


_: type[Supplier] = PostgresSupplier
