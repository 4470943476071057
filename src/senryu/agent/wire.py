"""Messages and open files over a Unix stream socket, for both ends. Source: unix(7), SCM_RIGHTS, SO_PEERCRED."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

_LENGTH = struct.Struct("!I")
_FDS_MAX = 4

T = TypeVar("T")


class Closed(Exception):
    """The other end went away."""


class TooLarge(Exception):
    """The other end announced a message over the limit."""


class Channel:
    """One connection. Takes a connected socket, which it owns; `may_receive_files` says whether descriptors are accepted at all."""

    def __init__(self, connection: socket.socket, *, limit_bytes: int, may_receive_files: bool) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._limit_bytes = limit_bytes
        self._may_receive_files = may_receive_files
        self._loop = asyncio.get_running_loop()

    async def send(self, payload: bytes, files: Sequence[int] = ()) -> None:
        """Sends one message, with `files` beside it. Raises: Closed."""
        framed = _LENGTH.pack(len(payload)) + payload
        try:
            if files:
                socket.send_fds(self._socket, [framed[:1]], list(files))
                framed = framed[1:]
            await self._loop.sock_sendall(self._socket, framed)
        except OSError as error:
            raise Closed from error

    async def receive(self, admit: Callable[[int], None] = lambda _length: None) -> tuple[bytes, list[int]]:
        """The next message and the files beside it (the caller closes them). Raises: Closed, TooLarge.

        `admit` is called with the announced length before anything of that length is read; it may raise.
        """
        files: list[int] = []
        try:
            (length,) = _LENGTH.unpack(await self._exactly(_LENGTH.size, files))
            if length > self._limit_bytes:
                raise TooLarge
            admit(length)
            return await self._exactly(length, files), files
        except BaseException:
            for file in files:
                os.close(file)
            raise

    async def while_open(self, work: Coroutine[Any, Any, T]) -> T:
        """Does `work` as long as the other end is there (and silent). Raises: Closed, the work cancelled, when it goes away first."""
        working = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(ready(self._socket.fileno()))
        try:
            await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Closed
            return working.result()
        finally:
            for task in (working, gone):
                task.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    async def _exactly(self, wanted: int, files: list[int]) -> bytes:
        received = bytearray()
        while len(received) < wanted:
            chunk = await self._some(min(wanted - len(received), 1 << 18), files)
            if not chunk:
                raise Closed
            received += chunk
        return bytes(received)

    async def _some(self, wanted: int, files: list[int]) -> bytes:
        while True:
            try:
                if not self._may_receive_files:
                    return self._socket.recv(wanted)
                chunk, fds, _, _ = socket.recv_fds(self._socket, wanted, _FDS_MAX, socket.MSG_CMSG_CLOEXEC)
                files.extend(fds)
                return chunk
            except BlockingIOError:
                await ready(self._socket.fileno())
            except OSError as error:
                raise Closed from error


async def ready(file: int, *, for_writing: bool = False) -> None:
    """Waits until an open file can be read (or written) without blocking."""
    loop = asyncio.get_running_loop()
    is_ready = asyncio.Event()
    add, remove = (loop.add_writer, loop.remove_writer) if for_writing else (loop.add_reader, loop.remove_reader)
    add(file, is_ready.set)
    try:
        await is_ready.wait()
    finally:
        remove(file)


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
