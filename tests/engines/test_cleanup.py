"""Cleaning up after one home while another has its number."""

from __future__ import annotations

import subprocess

from senryu.agent.lot import CLAIMS
from senryu.engines.container import ContainerEngine

from .rig import Agent, order, running_agent, seen


def _number(agent: Agent) -> str:
    return (agent.home / "agent/lot").read_text()


def _tables() -> set[str]:
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, timeout=30, check=True).stdout
    return {line.split()[-1] for line in listed.splitlines()}


async def test_a_second_cleanup_leaves_alone_who_has_the_number_by_then() -> None:
    with running_agent() as first:
        number = _number(first)
        first.stop()
        first.end_all()
        assert not (CLAIMS / number).exists()
        assert f"senryu_{number}" not in _tables()
        with running_agent(number) as second:
            assert _number(second) == number
            async with ContainerEngine(second.home) as engine:
                wanted = order("exec python3 -m http.server $PORT")
                await engine.start(wanted)
                await seen(engine, wanted.id, lambda dyno: dyno.is_listening)
                first.end_all()
                assert f"senryu_{number}" in _tables()
                assert (CLAIMS / number).read_text() == str(second.home)
                [dyno] = await engine.dynos()
                assert dyno.is_running
                await engine.remove(wanted.id)
