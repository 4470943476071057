"""Databases of tenants on a real PostgreSQL server, run as the agent runs it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from senryu.core.errors import Invalid
from senryu.providers.postgres import PostgresSupplier

from .conftest import ESSENTIAL, NEEDED, Local, connected, provisioned, url_of

pytestmark = NEEDED


async def test_a_database_is_its_tenants_to_write_and_read(supplier: PostgresSupplier) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as tenant:
        await tenant.execute("CREATE TABLE pictures (id serial PRIMARY KEY, name text)")
        await tenant.execute("INSERT INTO pictures (name) VALUES ('kite')")
        assert await tenant.fetchval("SELECT name FROM pictures") == "kite"
        await tenant.execute("CREATE EXTENSION citext WITH SCHEMA heroku_ext")
    await supplier.deprovision(id)


async def test_provisioning_again_after_a_crash_keeps_the_data_and_the_new_password_counts(supplier: PostgresSupplier) -> None:
    id, first = await provisioned(supplier)
    async with connected(first) as tenant:
        await tenant.execute("CREATE TABLE kept (n int)")
    second = url_of(await supplier.provision(id, ESSENTIAL, {}))
    async with connected(second) as tenant:
        assert await tenant.fetchval("SELECT count(*) FROM kept") == 0
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with connected(first):
            pass
    await supplier.deprovision(id)


async def test_a_database_taken_away_leaves_no_trace_and_may_be_taken_away_again(supplier: PostgresSupplier, server: Local) -> None:
    id, url = await provisioned(supplier)
    async with connected(url):
        await supplier.deprovision(id)
    await supplier.deprovision(id)
    reached = await server.reached()
    admin = await asyncpg.connect(**reached.admin, database="postgres")
    try:
        database, role = url.split("/")[-1], url.split("/")[2].split(":")[0]
        assert await admin.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", [database, role]) == []
        assert await admin.fetch("SELECT datname FROM pg_database WHERE datname = $1", database) == []
    finally:
        await admin.close()


async def test_one_tenant_cannot_connect_to_another_ones_database_nor_to_the_servers_own(supplier: PostgresSupplier) -> None:
    (mine, url), (theirs, other) = await provisioned(supplier), await provisioned(supplier)
    for database in (other.split("/")[-1], "postgres", "template1"):
        with pytest.raises((asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)):
            async with connected(url, database=database):
                pass
    await supplier.deprovision(mine)
    await supplier.deprovision(theirs)


@pytest.mark.parametrize(
    "attempt",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/out'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION plpython3u",
        "CREATE EXTENSION file_fdw",
        "CREATE ROLE another SUPERUSER",
        "CREATE DATABASE another",
        "ALTER SYSTEM SET log_statement = 'all'",
        "SET temp_file_limit = -1",
        "SET session_authorization = senryu_admin",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'senryu_admin' OR usename IS NULL",
    ],
)
async def test_a_tenant_may_not(supplier: PostgresSupplier, attempt: str) -> None:
    id, url = await provisioned(supplier)
    try:
        async with connected(url) as tenant:
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError)):
                await tenant.execute(attempt)
    finally:
        await supplier.deprovision(id)


async def test_connections_without_tls_are_refused(supplier: PostgresSupplier) -> None:
    id, url = await provisioned(supplier)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(url, ssl=False, timeout=20)
    await supplier.deprovision(id)


async def test_a_plan_bounds_connections(supplier: PostgresSupplier) -> None:
    id, url = await provisioned(supplier)
    open_ones: list[Any] = []
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            for _ in range(ESSENTIAL.limits["connections"] + 1):
                open_ones.append(await asyncpg.connect(url, ssl="require", timeout=20))
        assert len(open_ones) == ESSENTIAL.limits["connections"]
    finally:
        for connection in open_ones:
            await connection.close()
    await supplier.deprovision(id)


async def test_an_unknown_option_is_refused(supplier: PostgresSupplier) -> None:
    with pytest.raises(Invalid, match="fast"):
        await supplier.provision(uuid4(), ESSENTIAL, {"fast": "true"})


async def test_no_password_is_in_the_servers_log(supplier: PostgresSupplier, server: Local) -> None:
    id, url = await provisioned(supplier)
    async with connected(url) as tenant:
        with pytest.raises(asyncpg.UndefinedTableError):
            await tenant.execute("SELECT 'canary-in-a-statement' FROM nowhere")
    await supplier.deprovision(id)
    logs = b"".join(path.read_bytes() for path in (server.place.root / "log").iterdir())
    assert url.split(":")[2].split("@")[0].encode() not in logs
    assert b"canary-in-a-statement" not in logs
