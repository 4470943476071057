"""HAProxy's runtime API: commands and answers over its Unix socket.

Source: https://docs.haproxy.org/2.6/management.html#9.3
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from senryu.core import limits
from senryu.core.errors import Unavailable

_PROMPT = b"\n> "
_PAYLOAD_PROMPTS = re.compile(r"^(\+ )+")
_ANSWER_MAX_BYTES = 64 * limits.MIB
_QUEUE_FULL_S = 0.01


async def ask(path: Path, commands: Sequence[str]) -> list[str]:
    """Sends commands one after the other over one connection; gives their answers without surrounding blank lines.

    A command is one line, or a line ending in `<<` and its payload lines.
    Raises Unavailable when HAProxy is gone or takes longer than ROUTER_TIMEOUT_S.
    """
    if not commands:
        return []
    try:
        async with asyncio.timeout(limits.ROUTER_TIMEOUT_S):
            return await _converse(path, commands)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Unavailable("The router does not answer; it may be restarting, try again in a moment.") from error


async def reload(pipe: Path, master_socket: Path) -> None:
    """Has a new HAProxy start from the files and the running one retire, without closing a port: `starter.sh` is asked, or the master.

    Raises Unavailable when neither can be told. Whether the new one came up is for the caller to see.
    """
    try:
        try:
            _write_line(pipe)
        except OSError:
            await _reload_by_master(master_socket)
    except (OSError, TimeoutError) as error:
        raise Unavailable("The router does not answer; it may be restarting, try again in a moment.") from error


def _write_line(pipe: Path) -> None:
    """At once or not at all. Raises: OSError when nobody reads there."""
    descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "this is no pipe", str(pipe))
        os.write(descriptor, b"reload\n")
    finally:
        os.close(descriptor)


async def _reload_by_master(socket_path: Path) -> None:
    """For a router that has run since before an upgrade. Raises: OSError, TimeoutError."""
    async with asyncio.timeout(limits.ROUTER_TIMEOUT_S):
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(b"reload\n")
        with contextlib.suppress(ConnectionError):  # it replaces itself while we listen
            await reader.read()
        writer.close()


async def _connected(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """HAProxy talks to ten at a time, and the kernel has as many wait; asyncio would take a full queue for a connection under way."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        while True:
            try:
                connection.connect(str(path))  # at once or not at all, see unix(7)
                break
            except BlockingIOError:
                await asyncio.sleep(_QUEUE_FULL_S)
        return await asyncio.open_unix_connection(sock=connection, limit=_ANSWER_MAX_BYTES)
    except BaseException:
        connection.close()
        raise


async def _converse(path: Path, commands: Sequence[str]) -> list[str]:
    reader, writer = await _connected(path)
    try:
        writer.write(b"prompt\n")
        await reader.readuntil(_PROMPT)
        answers = []
        for command in commands:
            writer.write(command.encode() + (b"\n\n" if "<<" in command else b"\n"))
            answer = await reader.readuntil(_PROMPT)
            text = answer[: -len(_PROMPT)].decode(errors="replace")
            answers.append(_PAYLOAD_PROMPTS.sub("", text).strip("\n"))
        return answers
    finally:
        writer.close()
