"""Wires: a client's connection, carried through the platform's TLS port to a database that only dynos reach."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from ..core.errors import Unavailable

_CHUNK_BYTES = 64 * 1024
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Wire:
    """Where one leads. Its secret was given to somebody who may read the database's URL; it is asked for its password there."""

    host: str
    port: int

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways, until either side ends. Raises: Unavailable when the database cannot be reached."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                heard, said = await asyncio.open_connection(self.host, self.port, limit=_CHUNK_BYTES)
        except OSError as problem:  # TimeoutError too
            raise Unavailable("The database does not answer; try again in a minute.") from problem
        ways = [asyncio.create_task(_pump(reader, said), name="wire:in"), asyncio.create_task(_pump(heard, writer), name="wire:out")]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            said.close()
            with suppress(OSError):
                async with asyncio.timeout(_CONNECT_S):
                    await said.wait_closed()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK_BYTES):
        target.write(chunk)
        await target.drain()
