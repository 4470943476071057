"""One request to the agent, and what it answers."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from senryu.agent import protocol
from senryu.agent.wire import Channel, Closed, TooLarge
from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

_LOOK_S = 0.01
_RESTART_S = 3.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the open files that came with it, which the receiver closes."""

    answer: protocol.Answer
    files: list[int]


class Conversation:
    """One connection to the agent; as a `with` block, for as long as the block lasts."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def reply(self, timeout_s: float | None = AGENT_TIMEOUT_S) -> Reply:
        """The next answer; None waits for ever. Raises: Unavailable, or whatever the agent says went wrong."""
        try:
            async with asyncio.timeout(timeout_s):
                payload, files = await self._channel.receive()
        except (Closed, TooLarge, TimeoutError) as error:
            raise silent() from error
        answer = protocol.read_answer(payload)
        if isinstance(answer, protocol.Failed):
            close_all(files)
            raise protocol.raised(answer)
        return Reply(answer, files)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()


async def _connect(connection: socket.socket, path: Path) -> None:
    """asyncio would take a full queue for a connection under way: to a Unix socket it is made at once or not at all, see unix(7).

    An agent that was killed is there again in a second; nobody has been asked anything meanwhile.
    """
    until = asyncio.get_running_loop().time() + _RESTART_S
    while True:
        try:
            return connection.connect(str(path))
        except BlockingIOError:
            pass
        except (ConnectionRefusedError, FileNotFoundError):
            if asyncio.get_running_loop().time() > until:
                raise
        await asyncio.sleep(_LOOK_S)


async def begin(path: Path, request: protocol.Request) -> Conversation:
    """Connects and asks. Raises: Unavailable."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(AGENT_TIMEOUT_S):
            await _connect(connection, path)
            channel = Channel(connection, limit_bytes=protocol.ANSWER_MAX_BYTES, may_receive_files=True)
            await channel.send(protocol.encoded(request))
    except (OSError, Closed, TimeoutError) as error:
        connection.close()
        raise silent() from error
    except BaseException:
        connection.close()
        raise
    return Conversation(channel)


async def ask(path: Path, request: protocol.Request, timeout_s: float = AGENT_TIMEOUT_S) -> Reply:
    """One request, one answer. Raises: Unavailable, or whatever the agent says went wrong."""
    with await begin(path, request) as talk:
        return await talk.reply(timeout_s)


def close_all(files: list[int]) -> None:
    """Closes what came beside an answer."""
    for file in files:
        os.close(file)


def silent() -> Unavailable:
    """What a user sees when the agent is not there."""
    return Unavailable("The part that runs dynos does not answer; see that senryu-agent runs, and try again.")
