"""Tells when something in a directory changes, for many directories over one inotify instance (their number is limited to 128 a user)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from asyncinotify import Inotify, Mask

_WANTED = Mask.MODIFY | Mask.MOVED_TO | Mask.CREATE | Mask.DELETE_SELF | Mask.ONLYDIR | Mask.ONESHOT


class Changes:
    """Tells one reader of one directory of the first change after it last asked."""

    def __init__(self, inotify: Inotify, directory: Path) -> None:
        self._inotify = inotify
        self._directory = directory
        self.watch = inotify.add_watch(directory, _WANTED)
        self.is_there = asyncio.Event()

    def ask(self) -> None:
        """Changes from now on count; whoever asks looks afterwards. Of a directory that is gone there are none."""
        self.is_there.clear()
        with suppress(OSError):
            self.watch = self._inotify.add_watch(self._directory, _WANTED)

    async def wait(self) -> None:
        """Until there is one."""
        await self.is_there.wait()


class DirectoryWatch:
    """Use as `async with`. The kernel is asked for one change at a time: to be told of each line would cost more than the line."""

    def __init__(self) -> None:
        self._inotify = Inotify()
        self._watched: dict[Path, set[Changes]] = {}
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
    def changes_in(self, directory: Path) -> Iterator[Changes]:
        """What a reader of `directory` asks and waits for. Raises: OSError when there is no such directory."""
        changes = Changes(self._inotify, directory)
        readers = self._watched.setdefault(directory, set())
        readers.add(changes)
        try:
            yield changes
        finally:
            readers.discard(changes)
            if not readers:
                self._watched.pop(directory, None)
                with suppress(OSError, ValueError, KeyError):
                    self._inotify.rm_watch(changes.watch)

    async def _tell(self) -> None:
        async for change in self._inotify:
            directory = change.watch.path if change.watch is not None else None
            for changes in self._watched.get(directory, ()) if directory is not None else ():
                changes.is_there.set()
