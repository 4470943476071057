"""A connection to a Redis server, as its administrator.

Source: https://redis.io/docs/reference/protocol-spec/ (read by hiredis).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ...core.errors import Unavailable
from ...core.key_value_store import StoreServer

ADMIN = "senryu"
_TIMEOUT_S = 10.0
_CHUNK = 65536
_ANSWER_MAX_BYTES = 1024 * 1024


class Refused(Exception):
    """What the server answered with an error."""


class Link:
    """One connection. Each question waits for its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import hiredis

        self._reader, self._writer, self._pack = reader, writer, hiredis.pack_command
        self._answers = hiredis.Reader(encoding="utf-8", errors="replace", replyError=Refused, protocolError=Refused)

    async def ask(self, *words: Any) -> Any:
        """The answer. Raises: Refused, OSError."""
        self._writer.write(self._pack(words))
        read = 0
        while (answer := self._answers.gets()) is False:
            chunk = await self._reader.read(_CHUNK)
            read += len(chunk)
            if not chunk or read > _ANSWER_MAX_BYTES:
                raise ConnectionResetError("no whole answer")
            self._answers.feed(chunk)
        if isinstance(answer, Refused):
            raise answer
        return answer


@asynccontextmanager
async def linked(server: StoreServer) -> AsyncIterator[Link]:
    """A connection for a few questions. Raises: Unavailable when the server does not answer, or refuses one."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(server.socket)
            try:
                link = Link(reader, writer)
                await link.ask("AUTH", ADMIN, server.secret)
                yield link
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"The Redis server of this add-on does not answer ({type(error).__name__}); try again in a minute.") from error
    except Refused as error:
        raise Unavailable(f"The Redis server of this add-on refused ({str(error)[:120]}); try again in a minute.") from error
