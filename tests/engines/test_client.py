"""Talking to the agent, without one."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from senryu.agent import protocol
from senryu.core.errors import Unavailable
from senryu.engines.container import client

ASKED = 20


async def test_an_agent_whose_queue_is_full_is_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "agent.sock"))
        listener.listen(1)
        talks = [asyncio.create_task(client.begin(tmp_path / "agent.sock", protocol.ListDynos())) for _ in range(ASKED)]
        done, waiting = await asyncio.wait(talks, timeout=0.1)
        assert not any(talk.exception() for talk in done)
        assert len(waiting) > ASKED / 2
        listener.setblocking(False)
        taken = [await asyncio.get_running_loop().sock_accept(listener) for _ in range(ASKED)]
        for conversation in await asyncio.gather(*talks):
            conversation.close()
        for connection, _ in taken:
            connection.close()


@pytest.mark.parametrize("left_a_socket", [False, True])
async def test_an_agent_that_was_killed_is_waited_for(tmp_path: Path, left_a_socket: bool) -> None:
    path = tmp_path / "agent.sock"
    if left_a_socket:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    talk = asyncio.create_task(client.begin(path, protocol.ListDynos()))
    await asyncio.sleep(0.1)
    assert not talk.done()
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        (await talk).close()


async def test_an_agent_that_stays_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_RESTART_S", 0.1)
    with pytest.raises(Unavailable, match="does not answer"):
        await client.begin(tmp_path / "agent.sock", protocol.ListDynos())
