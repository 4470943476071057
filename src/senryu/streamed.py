"""Answers that are sent as they come to be, until their client goes."""

from __future__ import annotations

import asyncio

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_CANCEL_AGAIN_S = 1.0


class Streamed(StreamingResponse):
    """A StreamingResponse that is asyncio's alone: Starlette's own loads anyio's other half, 1.2 MB for one task beside another."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. The source is cancelled when the client goes; what it raises is raised."""
        sending = asyncio.create_task(self.stream_response(send))
        watching = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(sending)
            await _end(watching)
        for task in (sending, watching):
            if not task.cancelled():
                task.result()


async def _end(task: asyncio.Task[None]) -> None:
    """A source may lose one cancellation (3.11's wait_for does), so it is told until it has ended."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_CANCEL_AGAIN_S)
