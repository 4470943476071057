"""Key-value stores of tenants on real Redis servers, run as the agent runs them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from senryu.agent import stores
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


async def test_a_store_is_its_tenants_over_tls_with_the_password_as_a_confined_user(rig: Rig) -> None:
    supplier, _, home = rig
    id, url = await _made(supplier)
    tenant = client(url)
    await tenant.set("picture", "kite")
    assert await tenant.keys("*") == ["picture"]
    assert await tenant.eval("return redis.call('GET', KEYS[1])", 1, "picture") == "kite"
    parts = urlsplit(url)
    with pytest.raises(exceptions.AuthenticationError):
        await client(f"rediss://{parts.hostname}:{parts.port}").ping()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"PING\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b"", "answered without TLS"
    writer.close()
    pid = _pid(home, id)
    assert Path(f"/proc/{pid}").stat().st_uid > 2_000_000
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status and "CapBnd:\t0000000000000000" in status
    assert f"senryu-test-{os.getpid()}/store-" in Path(f"/proc/{pid}/cgroup").read_text()
    await supplier.deprovision(id)
    await supplier.deprovision(id)
    assert not Path(f"/proc/{pid}").exists() or _is_zombie(pid)
    assert list((home.agent / "data").iterdir()) == [] and list((home.root / "data/redis").glob("2*")) == []


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


_FORBIDDEN = """
CONFIG GET dir|CONFIG SET dir /tmp|DEBUG SLEEP 9|DEBUG SEGFAULT|MODULE LOAD /tmp/x.so|SAVE|BGSAVE|BGREWRITEAOF|SHUTDOWN NOSAVE
REPLICAOF 127.0.0.1 1|SLAVEOF 127.0.0.1 1|MIGRATE 127.0.0.1 1 k 0 100|ACL SETUSER x on nopass +@all|ACL LIST|CLUSTER MEET 127.0.0.1 1
FAILOVER|PSYNC ? -1|SYNC|CLIENT NO-EVICT on|CLIENT PAUSE 100000|AUTH senryu senryu|EVAL "return redis.call('CONFIG','GET','dir')" 0
EVAL "return io.open('/etc/passwd')" 0|EVAL "return package.loadlib('x','y')" 0|EVAL "return os.execute('id')" 0
EVAL "return dofile('/etc/passwd')" 0
EVAL "return loadfile('/etc/passwd')" 0|EVAL "return require('os')" 0|EVAL "return debug.getinfo(1)" 0
FUNCTION LOAD "#!lua name=x\\nredis.register_function('f', function() return redis.call('SHUTDOWN') end)"
"""


async def test_a_tenant_may_not_leave_its_server_or_change_what_bounds_it(rig: Rig) -> None:
    supplier, _, home = rig
    id, url = await _made(supplier)
    before, tenant = _pid(home, id), client(url, retry=None)
    for attempt in _FORBIDDEN.replace("\n", "|").strip("|").split("|"):
        words = shlex.split(attempt.replace("\\n", "\n"))
        if words[0] == "FUNCTION":
            await tenant.execute_command(*words)
            words = ["FCALL", "f", "0"]
        with pytest.raises(exceptions.RedisError):
            await tenant.execute_command(*words)
    assert await tenant.ping() and _pid(home, id) == before


async def test_who_fills_a_store_or_opens_too_many_connections_harms_nobody_else(rig: Rig) -> None:
    supplier, _, _ = rig
    (id, url), (_, theirs) = await _made(supplier), await _made(supplier)
    tenant = client(url)
    with pytest.raises(exceptions.ResponseError, match="maxmemory"):
        for number in range(40):
            await tenant.set(f"k{number}", "x" * 2**20)
    held: list[Any] = []
    with pytest.raises(exceptions.ConnectionError):
        for _ in range(MINI.limits["connections"] + 20):
            held.append(client(url, retry=None, single_connection_client=True))
            await held[-1].ping()
    assert len(held) > MINI.limits["connections"]
    assert await client(theirs).ping()
    for each in held:
        await each.aclose()
    group = Path("/sys/fs/cgroup/memory") / f"senryu-test-{os.getpid()}" / f"store-{urlsplit(url).port}"
    if group.exists():
        assert abs(int((group / "memory.limit_in_bytes").read_text()) - (2 * MINI.limits["bytes"] + 96 * 2**20)) < 4096
    for slug in ("premium-5", "premium-0"):
        await supplier.change_plan(id, SERVICE.plan(slug))
    await client(url).set("more", "x" * 2**22)
    with pytest.raises(Invalid, match="delete some keys"):
        await supplier.change_plan(id, MINI)


async def test_no_acknowledged_write_of_a_durable_plan_is_lost_by_kills(rig: Rig) -> None:
    supplier, data, home = rig
    id, url = await _made(supplier, DURABLE)
    acknowledged = 0
    looking_after = asyncio.create_task(data.look_after())
    for _ in range(3):
        killed = _pid(home, id)
        writer = client(url, retry=None)

        async def write(writer: Any = writer) -> None:
            nonlocal acknowledged
            while True:
                await writer.set(f"n{acknowledged + 1}", acknowledged + 1)
                acknowledged += 1

        begun, writing = acknowledged, asyncio.create_task(write())
        async with asyncio.timeout(30):
            while acknowledged < begun + 200:
                await asyncio.sleep(0.01)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(exceptions.RedisError):
            await writing
        async with asyncio.timeout(30):
            while _pid(home, id) == killed:
                await asyncio.sleep(0.02)
        await supplier.state(id)
        kept = await _once_loaded(url).mget([f"n{number}" for number in range(1, acknowledged + 1)])
        assert kept == [str(number) for number in range(1, acknowledged + 1)]
    looking_after.cancel()


def _once_loaded(url: str) -> Any:
    return client(url, retry=Retry(ConstantBackoff(0.1), 100), retry_on_error=[exceptions.BusyLoadingError])


async def test_a_plan_that_writes_to_disk_keeps_from_then_on_what_was_there(rig: Rig) -> None:
    supplier, data, home = rig
    id, url = await _made(supplier)
    await client(url).set("picture", "kite")
    await supplier.change_plan(id, DURABLE)
    async with asyncio.timeout(30):
        while (await client(url).info("persistence"))["aof_rewrite_in_progress"] != 0:
            await asyncio.sleep(0.02)
    os.kill(_pid(home, id), signal.SIGKILL)
    await _gone(_pid(home, id))
    await data.run_store(StoreOrder(id))
    assert await _once_loaded(url).get("picture") == "kite"


async def _gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
            await asyncio.sleep(0.01)


async def test_a_new_password_counts_beside_the_old_until_that_is_dismissed(rig: Rig) -> None:
    supplier, _, _ = rig
    id, first = await _made(supplier)
    await client(first).set("picture", "kite")
    second = (await supplier.admit(id, first))["URL"]
    held = client(first, retry=None, single_connection_client=True)
    assert await held.get("picture") == await client(second).get("picture") == "kite"
    await supplier.dismiss(id, second)
    for former in (held, client(first)):
        with pytest.raises(exceptions.ConnectionError):
            await former.get("picture")
    third = (await supplier.provision(id, MINI, {}))["URL"]  # a crash had it repeated
    assert await client(third).get("picture") == "kite"
    with pytest.raises(exceptions.AuthenticationError):
        await client(second).ping()


async def test_settings_hold_at_once_and_after_a_kill(rig: Rig) -> None:
    supplier, _, home = rig
    id, _ = await _made(supplier)
    await supplier.configure(id, eviction="allkeys-lru", timeout_s=60, events="AKE")
    for _ in range(2):
        state = await supplier.state(id)
        assert (state["maxmemory-policy"], state["timeout"], set(state["notify-keyspace-events"])) == ("allkeys-lru", "60", set("AKE"))
        os.kill(_pid(home, id), signal.SIGKILL)
        await _gone(_pid(home, id))
    await supplier.reset_stats(id)
    before = _pid(home, id)
    await supplier.restart(id)
    assert _pid(home, id) != before


async def test_asking_about_a_store_that_is_gone_makes_none(rig: Rig) -> None:
    supplier, _, home = rig
    with pytest.raises(NotFound):
        await supplier.state(uuid4())
    assert not (home.agent / "data").exists() or list((home.agent / "data").iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [{"events": 'x"\nport 1'}, {"eviction": "noeviction\nmaxmemory 0"}, {"verifiers": ("nopass",)}, {"memory_bytes": 0}, {"timeout_s": -1}],
)
def test_the_agent_takes_no_order_that_would_write_other_settings(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        stores.check(StoreOrder(uuid4(), **change))
