"""Makes, changes and takes away databases of tenants on one PostgreSQL server.

Source: PostgreSQL documentation, CREATE DATABASE, ALTER DATABASE.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from uuid import UUID

from ...core.add_on import AddOnService, Given, Plan, Supplier
from ...core.errors import Invalid, Unavailable
from ...core.follower import REFUSED
from .connect import Server, connected
from .following import PostgresFollowing
from .plans import SERVICE
from .roles import bound, furnish, let_in, make_login, make_role, members, names

# What a restore fills or has just replaced; see moving.py.
_BESIDE = "SELECT datname FROM pg_database WHERE datname ~ '^[xy][0-9a-f]{16}$' AND datacl::text LIKE $1"


class PostgresSupplier:
    """See Supplier."""

    def __init__(self, server: Server, following: PostgresFollowing | None = None) -> None:
        self._server, self._following = server, following

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return SERVICE

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str] | Given:
        """See Supplier. Gives `{"URL": "postgres://…"}`. Repeating it sets another password.

        The option `follow` is the URL of a leader of ours: then nothing is made but the copy of its server.
        """
        if leader := options.get("follow"):
            if self._following is None:
                raise Invalid(REFUSED)
            return await self._following.followed(leader)
        return await self._made(id, plan, options)

    async def _made(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str]:
        if unknown := options.keys() - {"version"}:
            raise Invalid(f"{SERVICE.name} has no option {', '.join(sorted(unknown))[:80]}.")
        database, role = names(id)
        password = f"p{secrets.token_hex(32)}"
        async with connected(self._server) as (admin, reached):
            await make_role(admin, database)
            await make_login(admin, database, role, password, plan)
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
                await admin.execute(f"CREATE DATABASE {database} CONNECTION LIMIT {plan.limits['connections']}")
            await let_in(admin, database, database, role)
        async with connected(self._server, database) as (inside, _):
            await furnish(inside, role)
        return {"URL": f"postgres://{role}:{password}@{reached.host}:{reached.port}/{database}"}

    async def change_plan(self, id: UUID, plan: Plan) -> None:
        """See Supplier."""
        database, _role = names(id)
        async with connected(self._server) as (admin, _):
            used = await admin.fetchval("SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1", database)
            if used is None:
                raise Unavailable("The database of this add-on is not there; restore it from a backup, or destroy the add-on.")
            if used > plan.limits["bytes"]:
                raise Invalid(f"The database has {used} bytes, {plan.name} may have {plan.limits['bytes']}; delete some first.")
            for name in await members(admin, database):
                await bound(admin, name, plan)
            await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT {plan.limits['connections']}")
            await admin.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")

    async def deprovision(self, id: UUID) -> None:
        """See Supplier."""
        database, role = names(id)
        async with connected(self._server) as (admin, _):
            for beside in await admin.fetch(_BESIDE, f"%{database}=%"):
                await admin.execute(f"DROP DATABASE IF EXISTS {beside['datname']} WITH (FORCE)")
            await admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            for name in (*await members(admin, database), role, database):
                await admin.execute(f"DROP ROLE IF EXISTS {name}")


_: type[Supplier] = PostgresSupplier
