"""Who asks for apps that sleep: HAProxy's Lua says their ids, a line each, over a Unix socket of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

from senryu.routers.whole import SHARED_FILE

_LINE_MAX_BYTES = 64
_LINE_TIMEOUT_S = 2.0
_WAITING_MAX = 10_000  # apps; whoever is not noted is told of again a second later


class Waiting:
    """The apps that somebody waits for. Use as `async with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._apps: dict[UUID, None] = {}
        self._told = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Waiting:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._hear, str(self._path), limit=_LINE_MAX_BYTES)
        self._path.chmod(SHARED_FILE)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def apps(self) -> AsyncIterator[UUID]:
        """Each app that was named, as often as it is."""
        while True:
            await self._told.wait()
            self._told.clear()
            while self._apps:
                app_id = next(iter(self._apps))
                del self._apps[app_id]
                yield app_id

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_LINE_TIMEOUT_S):
                app_id = UUID((await reader.readuntil(b"\n")).decode("ascii").strip())
            if len(self._apps) < _WAITING_MAX:
                self._apps[app_id] = None
                self._told.set()
        writer.close()
