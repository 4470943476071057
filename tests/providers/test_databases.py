"""What can be done with a tenant's database: seen, bounded, emptied, its credentials made, changed and taken away."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from senryu.core.database import Access, judge
from senryu.core.errors import Invalid, NotFound
from senryu.providers.postgres import SERVICE, PostgresDatabases, PostgresSupplier

from .conftest import ESSENTIAL, NEEDED, Local, connected, provisioned

pytestmark = NEEDED
# What asyncpg raises for a connection that the server has ended.
ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
STANDARD = SERVICE.plan("standard-0")


@pytest.fixture
def databases(server: Local) -> PostgresDatabases:
    return PostgresDatabases(server)


async def test_a_look_tells_size_tables_connections_and_version(supplier: PostgresSupplier, databases: PostgresDatabases) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as tenant:
        await tenant.execute("CREATE TABLE one (n int); CREATE TABLE two (n int)")
        seen = await databases.look(id)
        assert (seen.tables, seen.usage.connections, seen.usage.connections_max) == (2, 1, ESSENTIAL.limits["connections"])
        assert seen.roles == {databases.role(id, "default"): 1}
        assert seen.usage.bytes > 1_000_000 and seen.usage.access is Access.OPEN
        assert int(seen.version.split(".")[0]) >= 13
    assert url.endswith(f"@{seen.host}:{seen.port}/{seen.database}")
    assert (await databases.usage([id, uuid4()])).keys() == {id}
    await supplier.deprovision(id)
    with pytest.raises(NotFound):
        await databases.look(id)


async def test_a_database_over_its_size_is_read_only_then_locked_and_opened_when_it_is_smaller(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    small = replace(ESSENTIAL, limits={**ESSENTIAL.limits, "bytes": 20_000_000})
    async with connected(url) as tenant:
        await tenant.execute("CREATE TABLE big AS SELECT repeat('x', 900) AS t FROM generate_series(1, 20000)")
        stopped = (await databases.usage([id]))[id]
        assert judge(stopped, small, None) is Access.READ_ONLY
        await databases.allow(id, small, Access.READ_ONLY)
        with pytest.raises(ENDED):
            await tenant.execute("INSERT INTO big VALUES ('more')")
    async with connected(url) as tenant:
        assert await tenant.fetchval("SELECT count(*) FROM big") == 20000
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await tenant.execute("INSERT INTO big VALUES ('more')")
        assert (await databases.usage([id]))[id].access is Access.READ_ONLY
        # Who switches writing on to delete may; who goes on filling is locked out.
        await tenant.execute("SET default_transaction_read_only = off")
        await tenant.execute("INSERT INTO big SELECT repeat('y', 900) FROM generate_series(1, 90000)")
    grown = (await databases.usage([id]))[id]
    assert judge(grown, small, stopped.bytes) is Access.LOCKED
    await databases.allow(id, small, Access.LOCKED)
    with pytest.raises(asyncpg.TooManyConnectionsError):
        async with connected(url):
            pass
    # It may grow into a larger plan, or be emptied.
    await supplier.change_plan(id, SERVICE.plan("essential-1"))
    async with connected(url) as tenant:
        await tenant.execute("INSERT INTO big VALUES ('more')")
    await databases.allow(id, small, Access.LOCKED)
    await databases.reset(id, small, [])
    emptied = (await databases.usage([id]))[id]
    assert (emptied.access, judge(emptied, small, stopped.bytes)) == (Access.OPEN, Access.OPEN)
    async with connected(url) as tenant:
        await tenant.execute("CREATE TABLE again (n int)")
    await supplier.deprovision(id)


async def test_the_newest_connections_above_a_limit_are_ended_idle_ones_first(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    assert await databases.room() > 100
    async with connected(url) as first, connected(url) as second, connected(url) as third:
        async with first.transaction():
            await first.execute("SELECT 1")  # not idle, but in a transaction
            assert await databases.limit_connections(id, 1) == 2
            assert (await databases.usage([id]))[id].connections_max == 1
            assert await first.fetchval("SELECT 7") == 7
        for cut in (second, third):
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await cut.fetchval("SELECT 1")
        with pytest.raises(asyncpg.TooManyConnectionsError):
            async with connected(url):
                pass
    assert await databases.limit_connections(id, ESSENTIAL.limits["connections"]) == 0
    async with connected(url) as again:
        assert await again.fetchval("SELECT 7") == 7
    await supplier.deprovision(id)


async def test_a_reset_takes_everything_away_and_leaves_a_database_as_new(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as tenant:
        await tenant.execute("CREATE SCHEMA other; CREATE TABLE other.t (n int); CREATE TABLE t (n int); CREATE TYPE mood AS ENUM ('ok')")
        await tenant.execute("CREATE EXTENSION hstore WITH SCHEMA heroku_ext; SELECT lo_create(0)")
        await tenant.execute("DROP SCHEMA public CASCADE")
    with pytest.raises(Invalid, match="dblink"):
        await databases.reset(id, ESSENTIAL, ["dblink"])
    await databases.reset(id, ESSENTIAL, ["citext", "pgcrypto"])
    async with connected(url) as tenant:
        names = [row[0] for row in await tenant.fetch("SELECT extname FROM pg_extension ORDER BY 1")]
        assert names == ["citext", "pg_stat_statements", "pgcrypto", "plpgsql"]
        own = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
        found = await tenant.fetch(own)
        assert [row[0] for row in found] == ["heroku_ext", "public"]
        assert await tenant.fetchval("SELECT count(*) FROM pg_largeobject_metadata") == 0
        await tenant.execute("CREATE TABLE t (n citext); CREATE SCHEMA other; CREATE EXTENSION hstore")
    await supplier.deprovision(id)


async def test_a_credential_sees_what_it_is_granted_and_what_it_leaves_is_the_owners(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    limited = (await databases.set_credential(id, STANDARD, "analyst", "p" + "1" * 40))["URL"]
    role = databases.role(id, "analyst")
    async with connected(url) as owner, connected(limited) as analyst:
        await owner.execute("CREATE TABLE secret (n int); CREATE SCHEMA shared")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await analyst.execute("SELECT * FROM secret")
        takes_over = f"ALTER ROLE {databases.role(id, 'default')} PASSWORD 'x'"
        for statement in ("CREATE TABLE public.mine (n int)", "CREATE SCHEMA mine", takes_over):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await analyst.execute(statement)
        await owner.execute(f"GRANT SELECT ON secret TO {role}; GRANT ALL ON SCHEMA shared TO {role}")
        assert await analyst.fetch("SELECT * FROM secret") == []
        await analyst.execute("CREATE TABLE shared.left_behind (n int)")
    again = (await databases.set_credential(id, STANDARD, "analyst", "p" + "2" * 40))["URL"]
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with connected(limited):
            pass
    async with connected(again):
        await databases.drop_credential(id, "analyst")
    await databases.drop_credential(id, "analyst")
    async with connected(url) as owner:
        await owner.execute("DROP TABLE shared.left_behind")
        assert await owner.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", role) == 0
    await supplier.deprovision(id)


async def test_repairing_makes_the_default_credential_the_owner_of_everything(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    other = (await databases.set_credential(id, STANDARD, "other", "p" + "1" * 40))["URL"]
    async with connected(url) as owner, connected(other) as tenant:
        await owner.execute(f"GRANT ALL ON SCHEMA public TO {databases.role(id, 'other')}")
        await tenant.execute("CREATE TABLE theirs (n int)")
        await databases.repair_default(id)
        assert await owner.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'theirs'") == databases.role(id, "default")
    await supplier.deprovision(id)
    assert await databases.usage([id]) == {}


async def test_the_default_credential_is_given_another_password(supplier: PostgresSupplier, databases: PostgresDatabases) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as before:
        fresh = (await databases.set_credential(id, ESSENTIAL, "default", "p" + "3" * 40))["URL"]
        assert await databases.end_connections(id, "default") == 1
        with suppress(*ENDED):
            await before.execute("SELECT 1")
            pytest.fail("a connection outlived its password")
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with connected(url):
            pass
    async with connected(fresh):
        pass
    await supplier.deprovision(id)


async def test_statements_that_run_too_long_and_sessions_with_too_many_locks_are_ended(
    supplier: PostgresSupplier, databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("senryu.providers.postgres.care._LOCKS_MAX", 500)
    id, url = await provisioned(supplier)
    short = replace(ESSENTIAL, limits={**ESSENTIAL.limits, "statement_s": 1})
    async with connected(url) as slow, connected(url) as greedy, connected(url) as modest:
        await slow.execute("SET statement_timeout = 0")  # a tenant may, but it does not help him
        sleeping = asyncio.create_task(slow.execute("SELECT pg_sleep(60)"))
        await greedy.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 1000) n")
        await modest.execute("SELECT pg_advisory_lock(n) FROM generate_series(2001, 2010) n")
        ended = 0
        async with asyncio.timeout(20):
            while ended < 2:
                ended += (await databases.end_hogs({id: short})).get(id, 0)
                await asyncio.sleep(0.1)
        with pytest.raises(asyncpg.QueryCanceledError):
            await sleeping
        with pytest.raises(ENDED):
            await greedy.execute("SELECT 1")
        assert await modest.fetchval("SELECT 1") == 1
    await supplier.deprovision(id)


async def test_what_a_tenant_may_set_is_set_and_what_would_show_statements_of_others_is_not(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    await databases.set(id, "track_functions", "pl")
    assert (await databases.settings(id))["track_functions"] == "pl"
    async with connected(url) as tenant:
        assert await tenant.fetchval("SHOW track_functions") == "pl"
        allowed = (await tenant.fetchval("SHOW extwlist.extensions")).split(",")
        assert {"hstore", "citext", "pg_trgm", "pg_stat_statements"} <= set(allowed)
        assert not {"dblink", "file_fdw", "adminpack", "postgres_fdw", "pg_buffercache"} & set(allowed)
    for name, value in (("log_statement", "all"), ("track_functions", "every"), ("shared_buffers; DROP", "1")):
        with pytest.raises(Invalid):
            await databases.set(id, name, value)
    await supplier.deprovision(id)


async def test_a_diagnosis_names_sessions_that_hold_others_up(supplier: PostgresSupplier, databases: PostgresDatabases) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as holder, connected(url) as waiter:
        await holder.execute("CREATE TABLE t (n int)")
        await holder.execute("BEGIN; LOCK TABLE t")
        waiting = asyncio.create_task(waiter.execute("SELECT * FROM t"))
        found: dict[str, str] = {}
        async with asyncio.timeout(20):
            while found.get("Blocking Queries") != "red":
                found = {finding.name: finding.status for finding in await databases.diagnose(id, ESSENTIAL)}
        assert found["Connection Count"] == found["Size"] == "green"
        await holder.execute("ROLLBACK")
        await waiting
    await databases.reset_statistics(id)
    await supplier.deprovision(id)


async def test_a_tenants_function_of_the_extensions_name_is_not_run_by_the_platform(
    supplier: PostgresSupplier, databases: PostgresDatabases
) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as tenant:
        await tenant.execute("CREATE TABLE caught (who text); SELECT 1 AS counted")
        for takes in ("int, oid, int", "integer, integer, integer", "bigint, oid, bigint"):
            await tenant.execute(
                f"CREATE FUNCTION public.pg_stat_statements_reset({takes}) RETURNS void LANGUAGE sql"
                " AS $$ INSERT INTO public.caught VALUES (current_user) $$"
            )
        await databases.reset_statistics(id)
        assert await tenant.fetchval("SELECT count(*) FROM caught") == 0
        assert await tenant.fetchval("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%counted'") == 0
    await supplier.deprovision(id)


async def test_a_session_that_takes_too_much_memory_is_refused_it_and_nobody_else_notices(supplier: PostgresSupplier) -> None:
    (mine, url), (theirs, other) = await provisioned(supplier), await provisioned(supplier)
    async with connected(other) as neighbour:
        before = await neighbour.fetchval("SELECT pg_backend_pid()")
        async with connected(url) as tenant:
            with pytest.raises(asyncpg.OutOfMemoryError):
                await tenant.fetchval("SELECT length(repeat('x', 900000000))")
            assert await tenant.fetchval("SELECT 1") == 1
        assert await neighbour.fetchval("SELECT pg_backend_pid()") == before
    await supplier.deprovision(mine)
    await supplier.deprovision(theirs)
