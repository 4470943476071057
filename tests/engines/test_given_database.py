"""The operator's own database gets another address while dynos run: no restart of the agent, and no dyno more reaches it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from senryu.core.reach import DATABASE_PORT
from senryu.engines.container import ContainerEngine

from .rig import DEADLINE_S, result
from .test_forwarding import ElsewhereAgent, ip, machine_elsewhere

pytestmark = pytest.mark.system
_OLD, _NEW = "172.31.77.2", "172.31.77.3"  # private: no dyno goes there otherwise
_AS_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'


def _connect(address: str) -> str:
    return f"timeout 2 bash -c 'cat < /dev/tcp/{address}/80'"


async def test_dynos_with_a_grant_follow_the_name_of_the_operators_database(tmp_path: Path) -> None:
    (hosts := tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    with machine_elsewhere() as namespace:
        for address in (_OLD, _NEW):
            ip("-n", namespace.replace("snfwn", "snfwf"), "address", "add", f"{address}/32", "dev", "eth0")
        agent = ElsewhereAgent(namespace, "--database", "db.given.test:80")
        agent.before = ("unshare", "-m", "sh", "-ec", _AS_HOSTS, str(hosts))
        try:
            agent.start()  # its name leads nowhere yet
            async with ContainerEngine(agent.home) as engine:

                async def reached(address: str, *ports: int) -> bool:
                    return (await result(engine, _connect(address), reaches=ports))[0] == ["far away"]

                async def is_led_to(address: str) -> None:
                    async with asyncio.timeout(2 * DEADLINE_S):  # at the agent's next look
                        while not await reached(address, DATABASE_PORT):
                            await asyncio.sleep(0.2)

                assert not await reached(_OLD, DATABASE_PORT)
                hosts.write_text(f"127.0.0.1 localhost\n{_OLD} db.given.test\n")
                await is_led_to(_OLD)
                assert not await reached(_NEW, DATABASE_PORT)
                hosts.write_text(f"127.0.0.1 localhost\n{_NEW} db.given.test\n")
                await is_led_to(_NEW)
                assert not await reached(_OLD, DATABASE_PORT) and not await reached(_NEW)
                hosts.write_text("127.0.0.1 localhost\n")
                agent.kill()
                agent.start()  # nobody knows the name, and it is where it was
                await is_led_to(_NEW)
        finally:
            agent.clean_up()
