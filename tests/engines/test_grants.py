"""Dynos and the ports of data servers that they are let to, in the machine's firewall."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from senryu.core.errors import Unavailable
from senryu.engines.container import ContainerEngine

from .rig import Agent, order

pytestmark = pytest.mark.system
PORT = 20_001


def _table(agent: Agent) -> str:
    return f"senryu_{(agent.home / 'agent/lot').read_text().strip()}"


def _grants(agent: Agent) -> str:
    command = ["nft", "list", "set", "inet", _table(agent), "grants"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


async def test_a_dyno_is_let_to_its_data_server_from_its_start_to_its_removal(agent: Agent, engine: ContainerEngine) -> None:
    wanted = order("exec sleep 1000", reaches=(PORT,))
    await engine.start(wanted)
    [dyno] = await engine.dynos()
    assert dyno.address is not None
    assert f"{dyno.address.partition(':')[0]} . {PORT}" in _grants(agent)
    await engine.remove(wanted.id)
    assert str(PORT) not in _grants(agent)


async def test_a_dyno_that_cannot_be_let_to_its_data_server_is_not_started_and_leaves_nothing(
    agent: Agent, engine: ContainerEngine
) -> None:
    subprocess.run(["nft", "delete", "table", "inet", _table(agent)], timeout=30, check=True)
    try:
        with pytest.raises(Unavailable, match="firewall"):
            await engine.start(order("exec sleep 1000", reaches=(PORT,)))
        assert await engine.dynos() == []
        assert list((agent.home / "agent/dynos").iterdir()) == []
        assert list((agent.home / "agent/runc").iterdir()) == []
    finally:
        agent.kill()
        await asyncio.to_thread(agent.start)  # which makes the table anew
