"""Tells when something in a directory changes, for many directories over one inotify instance (their number is limited to 128 a user)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from asyncinotify import Inotify, Mask

_WANTED = Mask.MODIFY | Mask.MOVED_TO | Mask.CREATE | Mask.DELETE_SELF | Mask.ONLYDIR


class DirectoryWatch:
    """Use as `async with`."""

    def __init__(self) -> None:
        self._inotify = Inotify()
        self._watched: dict[Path, set[asyncio.Event]] = {}
        self._tasks = asyncio.TaskGroup()
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._pump = self._tasks.create_task(self._tell(), name="output:watch")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pump is not None:
            self._pump.cancel()
        await self._tasks.__aexit__(None, None, None)
        self._inotify.close()

    @contextmanager
    def changes_in(self, directory: Path) -> Iterator[asyncio.Event]:
        """An event that is set at every change in `directory`; the reader clears it. Raises: OSError when there is no such directory."""
        event = asyncio.Event()
        watch = self._inotify.add_watch(directory, _WANTED)
        readers = self._watched.setdefault(directory, set())
        readers.add(event)
        try:
            yield event
        finally:
            readers.discard(event)
            if not readers:
                self._watched.pop(directory, None)
                with suppress(OSError, ValueError, KeyError):
                    self._inotify.rm_watch(watch)

    async def _tell(self) -> None:
        async for change in self._inotify:
            directory = change.watch.path if change.watch is not None else None
            for event in self._watched.get(directory, ()) if directory is not None else ():
                event.set()
