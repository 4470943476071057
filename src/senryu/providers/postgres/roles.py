"""Roles and schemas of a tenant's database.

A group role named like the database lets its members in (pg_hba's `samerole`); each credential is a login role in it. Names are drawn
from the add-on's id, so that they tell nothing and a call repeated after a crash finds what the first one made.

Source: PostgreSQL documentation, "Database Roles", "Privileges", CREATE EXTENSION (trusted extensions).
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any
from uuid import UUID

from ...core.add_on import Plan
from ...core.database import DEFAULT
from . import scram

# pg_stat_statements is there from the beginning.
TRUSTED = "SELECT DISTINCT name FROM pg_available_extension_versions WHERE trusted OR name = 'pg_stat_statements' ORDER BY name"

_IS_LEFT_OUT = """
SELECT 1 FROM pg_depend d JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND d.objid = n.oid
WHERE n.nspname = 'heroku_ext' AND d.deptype = 'e'
"""


def names(id: UUID) -> tuple[str, str]:
    """The database (and group role) and the login role of an add-on: `d…`, `u…`. Neither tells anything of its owner."""
    digest = hashlib.sha256(id.bytes).hexdigest()
    return f"d{digest[:16]}", f"u{digest[16:32]}"


def login(id: UUID, credential: str) -> str:
    """The login role of a credential: `u…` for the default one, `c…` for others."""
    if credential == DEFAULT:
        return names(id)[1]
    return f"c{hashlib.sha256(id.bytes + credential.encode()).hexdigest()[:16]}"


async def members(admin: Any, database: str) -> list[str]:
    """The login roles of a database. A tenant cannot add any: only roles made here are direct members."""
    rows = await admin.fetch(
        "SELECT quote_ident(m.rolname) AS name FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid"
        " JOIN pg_roles m ON m.oid = a.member WHERE g.rolname = $1 ORDER BY 1",
        database,
    )
    return [row["name"] for row in rows]


async def make_role(admin: Any, name: str) -> None:
    """One that cannot do anything, unless it is there."""
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        await admin.execute(f"CREATE ROLE {name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


async def make_login(admin: Any, database: str, role: str, password: str, plan: Plan) -> None:
    """A role that gets into the database with this password."""
    await make_role(admin, role)
    await admin.execute(f"GRANT {database} TO {role}")
    await bound(admin, role, plan)
    secret = scram.verifier(password, secrets.token_bytes(16))
    await admin.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{secret}'")


async def bound(admin: Any, role: str, plan: Plan) -> None:
    """What a session may take. Statements' time and idle transactions a tenant may change for himself; see `end_hogs`."""
    limits = plan.limits
    await admin.execute(f"ALTER ROLE {role} CONNECTION LIMIT {limits['connections']}")
    for setting in (
        f"temp_file_limit = '{limits['temp_bytes'] // 1024}kB'",
        f"statement_timeout = '{limits['statement_s']}s'",
        "idle_in_transaction_session_timeout = '1h'",
    ):
        await admin.execute(f"ALTER ROLE {role} SET {setting}")


async def let_in(admin: Any, database: str, group: str, owner: str) -> None:
    """Who may do what in a database: nobody but the group's members, of whom only the owner makes schemas and extensions."""
    await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {group}")
    await admin.execute(f"GRANT CREATE ON DATABASE {database} TO {owner}")
    allowed = ",".join(row["name"] for row in await admin.fetch(TRUSTED))
    for name in ("extwlist.extensions", "rds.allowed_extensions"):  # where clients look which there are
        await admin.execute(f"ALTER DATABASE {database} SET {name} = '{allowed}'")


async def furnish(inside: Any, role: str) -> None:
    """The schemas of an empty database: `public` is the tenant's, extensions may go into `heroku_ext`. Only trusted ones can be made.

    What is here from the beginning does not stand in the way of a dump of another such database, nor of one restored elsewhere.
    """
    await inside.execute(f"CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION {role}")
    await inside.execute(f"ALTER SCHEMA public OWNER TO {role}")
    await inside.execute("CREATE SCHEMA IF NOT EXISTS heroku_ext")
    await inside.execute("GRANT USAGE ON SCHEMA public, heroku_ext TO PUBLIC")
    await inside.execute(f"GRANT CREATE ON SCHEMA heroku_ext TO {role}")
    if not await inside.fetchval(_IS_LEFT_OUT):
        await inside.execute("ALTER EXTENSION plpgsql ADD SCHEMA heroku_ext")  # so that dumps leave it out
    await inside.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public")
    await inside.execute("COMMENT ON EXTENSION pg_stat_statements IS NULL")
