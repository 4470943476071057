"""What can be done with a tenant's database: seen, bounded, emptied, its credentials made and changed.

Source: PostgreSQL documentation, "The Cumulative Statistics System", ALTER DATABASE, DROP OWNED, REASSIGN OWNED.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ...core.add_on import Plan
from ...core.database import DEFAULT, Access, Databases, Finding, Look, Usage
from ...core.errors import Invalid, NotFound
from .connect import Reached, Server, connected
from .diagnosis import diagnosis
from .roles import TRUSTED, furnish, let_in, login, make_login, members, names

_LOCKS_MAX = 20_000  # of one session; the table of locks is all tenants'
_USAGE = """
SELECT d.datname AS name, pg_database_size(d.oid) AS bytes, d.datconnlimit AS most,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid) AS connections,
       EXISTS (SELECT 1 FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0
               AND 'default_transaction_read_only=on' = ANY (s.setconfig)) AS read_only
FROM pg_database d WHERE d.datname = ANY ($1)
"""
_END = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
_ROOM = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
_SURPLUS = """
SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'
    ORDER BY state = 'idle', backend_start OFFSET $2
) surplus
"""
_HOGS = """
SELECT CASE WHEN locks.held > $3 THEN pg_terminate_backend(a.pid) ELSE pg_cancel_backend(a.pid) END
FROM pg_stat_activity a LEFT JOIN (SELECT pid, count(*) AS held FROM pg_locks GROUP BY pid) locks ON locks.pid = a.pid
WHERE a.datname = $1 AND a.usename <> current_user
  AND (locks.held > $3 OR (a.state = 'active' AND a.query_start < now() - make_interval(secs => $2)))
"""
# The extension's own function, whatever a tenant has put beside it: it is called by a superuser.
_FORGET = """
SELECT p.oid::regproc::text AS name, pg_get_function_identity_arguments(p.oid) AS takes
FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
WHERE e.extname = 'pg_stat_statements' AND p.proname = 'pg_stat_statements_reset'
"""
_ZEROS = {"oid": "0::oid", "bigint": "0::bigint", "boolean": "false"}
_SESSIONS = "SELECT usename, count(*) AS n FROM pg_stat_activity WHERE datname = $1 GROUP BY usename"
_SETTINGS = "log_connections log_lock_waits log_min_duration_statement log_min_error_statement log_statement track_functions".split()
_TRACKED = ("none", "pl", "all")


def _usage(row: Any) -> Usage:
    access = Access.LOCKED if row["most"] == 0 else Access.READ_ONLY if row["read_only"] else Access.OPEN
    return Usage(row["bytes"], row["connections"], row["most"], access)


def url(reached: Reached, database: str, role: str, password: str) -> Mapping[str, str]:
    """The config of a credential."""
    return {"URL": f"postgres://{role}:{password}@{reached.host}:{reached.port}/{database}"}


class PostgresDatabases:
    """See Databases."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def usage(self, ids: Sequence[UUID]) -> Mapping[UUID, Usage]:
        """See Databases."""
        by_name = {names(id)[0]: id for id in ids}
        async with connected(self._server) as (admin, _):
            rows = await admin.fetch(_USAGE, list(by_name))
        return {by_name[row["name"]]: _usage(row) for row in rows}

    async def look(self, id: UUID) -> Look:
        """See Databases."""
        database, _role = names(id)
        async with connected(self._server) as (admin, reached):
            row = await admin.fetchrow(_USAGE, [database])
            if row is None:
                raise NotFound("The database of this add-on is not there; restore it from a backup, or destroy the add-on.")
            version = await admin.fetchval("SHOW server_version")
            sessions = await admin.fetch(_SESSIONS, database)
        async with connected(self._server, database) as (inside, _):
            tables = await inside.fetchval(
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
                " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
            )
        roles = {str(session["usename"]): int(session["n"]) for session in sessions}
        return Look(_usage(row), str(version).split()[0], int(tables), reached.host, reached.port, database, roles)

    async def allow(self, id: UUID, plan: Plan, access: Access) -> None:
        """See Databases."""
        database, _role = names(id)
        async with connected(self._server) as (admin, _):
            limit = 0 if access is Access.LOCKED else plan.limits["connections"]
            change = "RESET default_transaction_read_only" if access is Access.OPEN else "SET default_transaction_read_only = on"
            await admin.execute(f"ALTER DATABASE {database} {change}")
            await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT {limit}")
            await admin.fetchval(_END, database)  # a session keeps what it began with

    async def end_hogs(self, ids: Mapping[UUID, Plan]) -> Mapping[UUID, int]:
        """See Databases."""
        ended = {}
        async with connected(self._server) as (admin, _):
            for id, plan in ids.items():
                rows = await admin.fetch(_HOGS, names(id)[0], float(plan.limits["statement_s"]), _LOCKS_MAX)
                if rows:
                    ended[id] = len(rows)
        return ended

    async def room(self) -> int:
        """See Databases."""
        async with connected(self._server) as (admin, _):
            return int(await admin.fetchval(_ROOM))

    async def limit_connections(self, id: UUID, most: int) -> int:
        """See Databases."""
        database, _role = names(id)
        async with connected(self._server) as (admin, _):
            await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT {int(most)}")
            return int(await admin.fetchval(_SURPLUS, database, most))

    async def reset(self, id: UUID, plan: Plan, extensions: Sequence[str]) -> None:
        """See Databases. One transaction: a crash leaves all or nothing."""
        database, role = names(id)
        async with connected(self._server, database) as (inside, _):
            allowed = {row["name"] for row in await inside.fetch(TRUSTED)}
            if unknown := ", ".join(sorted(set(extensions) - allowed)):
                raise Invalid(f"There is no extension {unknown[:120]} for tenants; `pg:extensions` lists those there are.")
            await inside.fetchval(_END, database)
            owners = ", ".join(await members(inside, database))
            async with inside.transaction():
                await inside.execute(f"DROP OWNED BY {owners} CASCADE")
                await let_in(inside, database, database, role)
                await furnish(inside, role)
                await inside.execute(f"SET LOCAL ROLE {role}")
                for extension in extensions:
                    await inside.execute(f'CREATE EXTENSION "{extension}" WITH SCHEMA public CASCADE')
        await self.allow(id, plan, Access.OPEN)

    async def end_connections(self, id: UUID, credential: str | None = None) -> int:
        """See Databases."""
        only = "" if credential is None else f" AND usename = '{login(id, credential)}'"
        async with connected(self._server) as (admin, _):
            return int(await admin.fetchval(_END + only, names(id)[0]))

    async def reset_statistics(self, id: UUID) -> None:
        """See Databases."""
        database, _role = names(id)
        async with connected(self._server, database) as (inside, _):
            await inside.execute("SELECT pg_stat_reset()")
            for row in await inside.fetch(_FORGET):
                kinds = [each.split()[-1] for each in row["takes"].split(", ")]
                own = "(SELECT oid FROM pg_database WHERE datname = current_database())"
                given = [own if place == 1 else _ZEROS[kind] for place, kind in enumerate(kinds)]
                await inside.execute(f"SELECT {row['name']}({', '.join(given)})")

    async def set_credential(self, id: UUID, plan: Plan, name: str, password: str) -> Mapping[str, str]:
        """See Databases."""
        database, owner = names(id)
        role = login(id, name)
        async with connected(self._server) as (admin, reached), admin.transaction():  # a role without its database is not left
            await make_login(admin, database, role, password, plan)
            if name != DEFAULT:
                await admin.execute(f"GRANT {role} TO {owner}")
        return url(reached, database, role, password)

    async def drop_credential(self, id: UUID, name: str) -> None:
        """See Databases."""
        database, owner = names(id)
        role = login(id, name)
        async with connected(self._server, database) as (inside, _):
            if not await inside.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                return
            await inside.execute(f"ALTER ROLE {role} NOLOGIN")
            await inside.fetchval(f"{_END} AND usename = '{role}'", database)
            async with inside.transaction():
                await inside.execute(f"REASSIGN OWNED BY {role} TO {owner}")
                await inside.execute(f"DROP OWNED BY {role}")
                await inside.execute(f"DROP ROLE {role}")

    async def repair_default(self, id: UUID) -> None:
        """See Databases."""
        database, owner = names(id)
        async with connected(self._server, database) as (inside, _), inside.transaction():
            for role in await members(inside, database):
                if role != owner:
                    await inside.execute(f"REASSIGN OWNED BY {role} TO {owner}")
                    await inside.execute(f"GRANT {role} TO {owner}")
            await let_in(inside, database, database, owner)

    def role(self, id: UUID, credential: str) -> str:
        """See Databases."""
        return login(id, credential)

    async def settings(self, id: UUID) -> Mapping[str, str]:
        """See Databases."""
        async with connected(self._server, names(id)[0]) as (inside, _):
            return {name: str(await inside.fetchval("SELECT current_setting($1)", name)) for name in _SETTINGS}

    async def set(self, id: UUID, name: str, value: str) -> None:
        """See Databases."""
        database, _role = names(id)
        if name != "track_functions":
            raise Invalid(f"{name} cannot be changed here: statements of tenants are kept out of the log of the server that they share.")
        if value not in _TRACKED:
            raise Invalid(f"track_functions is {', '.join(_TRACKED)}.")
        async with connected(self._server) as (admin, _):
            await admin.execute(f"ALTER DATABASE {database} SET track_functions = '{value}'")

    async def diagnose(self, id: UUID, plan: Plan) -> Sequence[Finding]:
        """See Databases."""
        database, _role = names(id)
        async with connected(self._server, database) as (inside, _):
            return await diagnosis(inside, plan)


_: type[Databases] = PostgresDatabases
