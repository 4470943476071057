"""All drains: one task each, started, ended and started again so that those run that the database has."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import structlog

from senryu.core.address import Resolver
from senryu.core.clock import Clock
from senryu.core.log_drain import Draining, LogDrain, receiver
from senryu.core.log_line import LogReader, LogWriter
from senryu.logs.drain import Drain
from senryu.logs.drain_buffer import Mark
from senryu.logs.drain_marks import DrainMarks
from senryu.logs.drain_outlet import Outlet, Road, Timeouts
from senryu.logs.syslog import SyslogOutlet

LOOK_S: Final = 60.0
AGAIN_S: Final = 5.0
_log = structlog.get_logger(__name__)


class Drains:
    """Used as `async with`: inside, every drain that `wanted` gives is at work. A drain that fails starts again after AGAIN_S.

    Takes: `wanted`, all drains there are to be, asked when woken and each LOOK_S; `directory`, where their marks are kept;
    `allow_private`, whether receivers may be in private networks; `tls`, the authorities trusted (the system's when not given).
    """

    def __init__(
        self,
        *,
        wanted: Callable[[], Awaitable[Sequence[LogDrain]]],
        directory: Path,
        reader: LogReader,
        writer: LogWriter,
        resolver: Resolver,
        clock: Clock,
        allow_private: bool = False,
        tls: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._wanted = wanted
        self._marks = DrainMarks(directory)
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._road = Road(resolver, tls or ssl.create_default_context(), clock, allow_private, timeouts or Timeouts())
        self._bell = asyncio.Event()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._bell.set()
        self._looking = asyncio.create_task(self._keep_looking(), name="drains")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        tasks = [*self._tasks.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """See Draining."""
        self._bell.set()

    async def _keep_looking(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            try:
                self._apply(await self._wanted())
            except Exception as problem:  # the database or the disk is away: the drains there are go on
                _log.warning("drains cannot be looked up", reason=str(problem), again_in_s=LOOK_S)

    def _apply(self, wanted: Sequence[LogDrain]) -> None:
        by_id = {drain.id: drain for drain in wanted}
        for id in self._tasks.keys() - by_id.keys():
            self._tasks[id].cancel()
        for id in by_id.keys() - self._tasks.keys():
            task = asyncio.create_task(self._keep_running(by_id[id]), name=f"drain:{by_id[id].token}")
            self._tasks[id] = task
            task.add_done_callback(partial(self._ended, id))
        self._marks.keep_only(by_id.keys())

    def _ended(self, id: UUID, task: asyncio.Task[None]) -> None:
        del self._tasks[id]

    async def _keep_running(self, drain: LogDrain) -> None:
        while True:
            try:
                mark = self._marks.read(drain.id) or Mark(drain.after_seq)
                work = Drain(
                    drain,
                    self._outlet(drain),
                    mark,
                    note=partial(self._marks.write, drain.id),
                    reader=self._reader,
                    writer=self._writer,
                    clock=self._clock,
                )
                await work.run()
                return
            except Exception as problem:  # it goes on from its mark; others never notice
                _log.error("drain interrupted", drain=drain.token, exc_info=problem, again_in_s=AGAIN_S)
            await self._clock.sleep(AGAIN_S)

    def _outlet(self, drain: LogDrain) -> Outlet:
        wanted = receiver(drain.url)
        if wanted.is_syslog:
            return SyslogOutlet(wanted, drain.token, self._road)
        from senryu.logs.https import HttpsOutlet  # here: many platforms have no such drain, and it takes memory

        return HttpsOutlet(wanted, drain.token, self._road)


_: type[Draining] = Drains
