"""A real PostgreSQL server, run as the agent runs it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from senryu.agent import postgres
from senryu.providers.postgres import SERVICE, PostgresSupplier, Reached
from system.rig import free_ports

NEEDED = [
    pytest.mark.postgres,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the server runs as a user of its own"),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").exists(), reason="PostgreSQL's server is not installed"),
]
ESSENTIAL = SERVICE.plan("essential-0")


class Local:
    """A server on the loopback."""

    last = None

    def __init__(self, place: postgres.Place) -> None:
        self.place = place

    async def reached(self) -> Reached:
        admin = {"host": str(self.place.sockets), "port": self.place.port, "user": postgres.ADMIN}
        return Reached(admin, self.place.address, self.place.port)


@contextmanager
def local_server() -> Iterator[Local]:
    """One that is gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="senryu-data-", dir="/var/tmp"))
    root.chmod(0o755)
    place = postgres.Place(root / "postgres", "127.0.0.1", IPv4Network("127.0.0.0/8"), "root", owner="nobody", port=free_ports(1)[0])
    try:
        postgres.run(place)
        postgres.run(place)  # again: nothing to do
        yield Local(place)
    finally:
        postgres.stop(place)
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def server() -> Iterator[Local]:
    with local_server() as running:
        yield running


@pytest.fixture
def supplier(server: Local) -> PostgresSupplier:
    return PostgresSupplier(server)


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, ssl="require", timeout=20, **options)
    try:
        yield connection
    finally:
        await connection.close(timeout=20)


async def provisioned(supplier: PostgresSupplier) -> tuple[UUID, str]:
    id = uuid4()
    return id, url_of(await supplier.provision(id, ESSENTIAL, {}))


def url_of(given: object) -> str:
    """Of what a supplier gave at once."""
    assert isinstance(given, dict)
    return str(given["URL"])
