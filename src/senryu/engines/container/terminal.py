"""The stdio of a dyno or of a command inside one, over descriptors the agent handed out."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from pathlib import Path
from uuid import UUID

from senryu.agent import protocol
from senryu.agent.wire import ready
from senryu.core.dyno import Terminal
from senryu.core.errors import Unavailable

from . import client
from .client import Conversation, Reply

_CHUNK_BYTES = 32 * 1024
_SEQPACKET_MAX_BYTES = 32 * 1024  # conmon reads attached input in messages of at most this
_RECONNECT_S = 0.5


class AttachedTerminal:
    """A dyno's own stdio, through conmon's attach socket: each message from it begins with a byte that names the stream."""

    def __init__(self, reply: Reply, agent: Path, dyno_id: UUID) -> None:
        if len(reply.files) != 2:
            client.close_all(reply.files)
            raise client.silent()
        stdio, self._control = reply.files
        self._socket = socket.socket(fileno=stdio)
        self._socket.setblocking(False)
        self._agent = agent
        self._dyno_id = dyno_id
        self._is_open = True

    async def read(self) -> bytes:
        """See Terminal."""
        loop = asyncio.get_running_loop()
        while self._is_open:
            try:
                message = await loop.sock_recv(self._socket, _CHUNK_BYTES + 1)
            except OSError:
                return b""
            if len(message) != 1:
                return message[1:]
        return b""

    async def write(self, chunk: bytes) -> None:
        """See Terminal."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(chunk), _SEQPACKET_MAX_BYTES):
            try:
                await loop.sock_sendall(self._socket, chunk[start : start + _SEQPACKET_MAX_BYTES])
            except OSError:
                return  # the program has ended or closed its stdin, as with any pipe

    async def write_eof(self) -> None:
        """See Terminal."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    async def resize(self, columns: int, lines: int) -> None:
        """See Terminal."""
        if self._is_open:
            try:
                os.write(self._control, b"1 %d %d\n" % (lines, columns))
            except OSError:
                return  # it has ended

    async def exit_status(self) -> int:
        """See Terminal."""
        while True:
            try:
                with await client.begin(self._agent, protocol.AwaitEnd(self._dyno_id)) as talk:
                    answer = (await talk.reply(None)).answer
                    if isinstance(answer, protocol.Exited):
                        return answer.status
            except Unavailable:
                await asyncio.sleep(_RECONNECT_S)  # the dyno lives on while the agent is replaced

    async def close(self) -> None:
        """See Terminal."""
        if self._is_open:
            self._is_open = False
            self._socket.close()
            os.close(self._control)


class CommandTerminal:
    """A command inside a dyno: one terminal, or a pipe in and a pipe out."""

    def __init__(self, reply: Reply, talk: Conversation) -> None:
        self._is_tty = isinstance(reply.answer, protocol.Opened) and reply.answer.tty
        if len(reply.files) != (1 if self._is_tty else 2):
            client.close_all(reply.files)
            raise client.silent()
        self._input, self._output = reply.files[0], reply.files[-1]
        self._is_input_open = self._is_open = True
        self._talk = talk
        for file in reply.files:
            os.set_blocking(file, False)

    async def read(self) -> bytes:
        """See Terminal."""
        while self._is_open:
            try:
                return os.read(self._output, _CHUNK_BYTES)
            except BlockingIOError:
                await ready(self._output)
            except OSError:  # a terminal says EIO when its program is gone
                return b""
        return b""

    async def write(self, chunk: bytes) -> None:
        """See Terminal."""
        left = memoryview(chunk)
        while left and self._is_input_open:
            try:
                left = left[os.write(self._input, left) :]
            except BlockingIOError:
                await ready(self._input, for_writing=True)
            except OSError:
                return

    async def write_eof(self) -> None:
        """See Terminal."""
        if self._is_tty:
            await self.write(b"\x04")
        elif self._is_input_open:
            self._is_input_open = False
            os.close(self._input)

    async def resize(self, columns: int, lines: int) -> None:
        """See Terminal."""
        if self._is_tty and self._is_open:
            fcntl.ioctl(self._output, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    async def exit_status(self) -> int:
        """See Terminal. Raises: Unavailable when the agent went away meanwhile."""
        answer = (await self._talk.reply(None)).answer
        if not isinstance(answer, protocol.Exited):
            raise client.silent()
        return answer.status

    async def close(self) -> None:
        """See Terminal; the command is hung up on."""
        if self._is_open:
            self._is_open = False
            self._talk.close()
            os.close(self._output)
            if self._is_input_open and not self._is_tty:
                os.close(self._input)
            self._is_input_open = False


_ATTACH: type[Terminal] = AttachedTerminal
_COMMAND: type[Terminal] = CommandTerminal
