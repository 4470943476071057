"""What goes back to a git client, decoupled from what makes it: a push outlives its pusher's connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.types import Send

from senryu.core.limits import GIT_STALL_TIMEOUT_S
from senryu.streamed import Streamed

_CHUNKS_MAX = 64


class Answer:
    """A bounded stream from git to a client. Without a client, or with one that takes nothing any more, it is thrown away.

    Takes: `outlives_client`, whether git is to be read to its end all the same.
    """

    def __init__(self, *, outlives_client: bool) -> None:
        self._outlives_client = outlives_client
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_CHUNKS_MAX)
        self._is_discarded = False
        self._is_over = False

    async def fill(self, chunks: AsyncIterator[bytes]) -> None:
        """Takes everything git writes."""
        async for chunk in chunks:
            if self._is_discarded and not self._outlives_client:
                return
            if self._is_discarded:
                continue
            try:
                async with asyncio.timeout(GIT_STALL_TIMEOUT_S):
                    await self._chunks.put(chunk)
            except TimeoutError:
                self.discard()

    def finish(self) -> None:
        """Says that nothing more comes."""
        self._is_over = True
        if not self._chunks.full():
            self._chunks.put_nowait(None)

    def discard(self) -> None:
        """Throws away what is there and what comes."""
        self._is_discarded = True
        while not self._chunks.empty():
            self._chunks.get_nowait()
        self.finish()

    async def stream(self, first: bytes = b"") -> AsyncGenerator[bytes, None]:
        """Everything, after `first`; leaving early discards the rest."""
        try:
            if first:
                yield first
            while not (self._is_over and self._chunks.empty()):
                if (chunk := await self._chunks.get()) is None:
                    return
                yield chunk
        finally:
            self.discard()


class GitResponse(Streamed):
    """An answer sent chunk by chunk, never cached, whose source is closed when the client goes."""

    def __init__(self, content: AsyncGenerator[bytes, None], kind: str) -> None:
        super().__init__(content, media_type=f"application/x-{kind}", headers={"Cache-Control": "no-cache, max-age=0, must-revalidate"})
        self._content = content

    async def stream_response(self, send: Send) -> None:
        """See Streamed, which leaves its source open."""
        async with aclosing(self._content):
            await super().stream_response(send)
