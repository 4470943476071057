"""Key-value stores of tenants on real Redis servers, run as the agent runs them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from redis import exceptions

from senryu.agent.data import Data
from senryu.agent.home import Home
from senryu.core.errors import Invalid, NotFound
from senryu.core.key_value_store import StoreOrder
from senryu.providers.redis import SERVICE, RedisSupplier

from .stores import NEEDED, client, servers

pytestmark = NEEDED
MINI, DURABLE = SERVICE.plan("mini"), SERVICE.plan("premium-0")
Rig = tuple[RedisSupplier, Data, Home]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with servers() as (data, home):
        yield RedisSupplier(data), data, home


async def _made(supplier: RedisSupplier, plan: Any = MINI) -> tuple[UUID, str]:
    id = uuid4()
    return id, (await supplier.provision(id, plan, {}))["URL"]


def _pid(home: Home, id: UUID) -> int:
    return int((home.agent / "data" / f"redis-{id}.process").read_text().split()[0])


async def test_a_store_is_its_tenants_to_write_and_read_over_tls_with_the_password(rig: Rig) -> None:
    supplier, _, home = rig
    id, url = await _made(supplier)
    tenant = client(url)
    await tenant.set("picture", "kite")
    assert await tenant.keys("*") == ["picture"]
    assert await tenant.eval("return redis.call('GET', KEYS[1])", 1, "picture") == "kite"
    parts = urlsplit(url)
    with pytest.raises(exceptions.AuthenticationError):
        await client(f"rediss://{parts.hostname}:{parts.port}").ping()
    with pytest.raises(exceptions.ConnectionError):
        await client(url.replace("rediss", "redis"))  .ping() if False else await _plainly(url)
    pid = _pid(home, id)
    assert Path(f"/proc/{pid}").stat().st_uid > 2_000_000
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status and "CapBnd:\t0000000000000000" in status and "Groups:\t \n" in status
    assert f"senryu-test-{os.getpid()}/store-" in Path(f"/proc/{pid}/cgroup").read_text()
