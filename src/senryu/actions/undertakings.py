"""Work that goes on beside whoever asked for it: named, guarded, cancelled by name, ended with the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from ..core.errors import Conflict

_log = structlog.get_logger("supervise")
T = TypeVar("T")


class Undertakings:
    """The tasks under way. The three methods named as in core.formation.Supervision do what it says."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def end(self) -> None:
        """Cancels all of them; what one began while it ended is ended too."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=1.0)

    def undertake(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """See Supervision."""
        self._begin(name, _guarded(name, work))

    async def cancellable(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """See Supervision."""
        task = self._begin(name, work)
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if not task.cancelled() or (caller is not None and caller.cancelling()):
                raise
            raise Conflict("It was cancelled.", id="cancelled") from None

    def cancel(self, name: str) -> bool:
        """See Supervision."""
        cancelled = [task.cancel() for task in self._tasks if task.get_name() == name]
        return any(cancelled)

    def _begin(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _guarded(name: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        _log.exception("task failed", task=name)
