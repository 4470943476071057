"""The intake: follows every dyno's output and the router's requests into the apps' streams.

What a dyno wrote waits in the engine's record, what the router did in the router's; the intake reads on from the last position the history
holds, so nothing is lost or repeated when it dies. It never holds more than two batches of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self, TypeVar
from uuid import UUID

import structlog

from senryu.core.clock import Clock
from senryu.core.dyno import Output, OutputReader
from senryu.core.errors import NotFound
from senryu.core.log_line import LogReader, LogWriter
from senryu.core.route import RequestLine, Router
from senryu.logs.dyno_lines import DynoLines
from senryu.logs.request_lines import RequestLines

TURN_LINES: Final = 200  # what one follower may store before others get their turn: a few milliseconds
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
CANCEL_TIMEOUT_S: Final = 5.0
READ_OUT_TIMEOUT_S: Final = 10.0
PAUSE_S: Final = 1.0  # a dyno that writes nothing for so long has nothing that would push out what was held back

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Intake:
    """One named task per dyno followed and one for the router; all end with the `async with` block.

    A task that fails (engine away, disk full) starts again behind the last line stored, after BACKOFF_FIRST_S, doubling to BACKOFF_MAX_S.
    """

    def __init__(self, *, outputs: OutputReader, writer: LogWriter, reader: LogReader, clock: Clock) -> None:
        self._outputs = outputs
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._tasks = asyncio.TaskGroup()
        self._dynos: dict[UUID, asyncio.Task[None]] = {}
        self._router: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in [*self._dynos.values(), *([self._router] if self._router else [])]:
            task.cancel()
        is_cancelled = isinstance(error, asyncio.CancelledError)
        # Any other error is the caller's own: a TaskGroup would wrap it into an ExceptionGroup.
        await self._tasks.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))

    def follow(self, app_id: UUID, dyno_id: UUID, dyno_name: str) -> None:
        """Takes a dyno's output from where the history stops, until the dyno has ended and all is read. Idempotent."""
        if dyno_id in self._dynos:
            return
        work = self._follow_dyno(app_id, dyno_id, dyno_name)
        task = self._tasks.create_task(work, name=f"logs:{dyno_name}:{dyno_id}")
        self._dynos[dyno_id] = task
        task.add_done_callback(lambda _: self._dynos.pop(dyno_id, None))

    def followed(self) -> frozenset[UUID]:
        """The dynos whose output is being taken now."""
        return frozenset(self._dynos)

    async def read_out(self, dyno_id: UUID, timeout_s: float = READ_OUT_TIMEOUT_S) -> bool:
        """Waits until everything an ended dyno wrote is in the log, or `timeout_s` are over; whether it is."""
        task = self._dynos.get(dyno_id)
        if task is not None:
            await asyncio.wait({task}, timeout=timeout_s)
        return task is None or task.done()

    def follow_router(self, router: Router, text: Callable[[RequestLine], str], generation: Callable[[], str] = lambda: "0") -> None:
        """Takes the router's requests as `heroku[router]` lines. Idempotent.

        Takes: `text`, makes a line's words (core.codes.router_line); `generation`, needed only of a router whose positions start again
        from 0 when it does: names its run, asked at each (re)start. The next batch is asked for when the last one is stored.
        """
        if self._router is None or self._router.done():
            work = self._follow_router(router, text, generation)
            self._router = self._tasks.create_task(work, name="logs:router")

    async def _follow_dyno(self, app_id: UUID, dyno_id: UUID, dyno_name: str) -> None:
        origin = str(dyno_id)
        lines = DynoLines(dyno_name, origin)

        async def store(batch: Sequence[Output]) -> None:
            await self._writer.write(app_id, lines.lines(batch, self._clock.now()))

        async def settle() -> None:
            await self._writer.write(app_id, lines.settled(self._clock.now()))

        async def attempt(succeeded: Callable[[], None]) -> None:
            position = await self._reader.last_position(app_id, origin)
            lines.resume(position, self._clock.now())
            batches = self._outputs.output(dyno_id, position)
            await _in_turns(_with_pauses(batches, lambda: lines.is_holding, settle), store, succeeded)
            await settle()

        try:
            await self._repeated(attempt, f"dyno {dyno_name} ({dyno_id})")
        except NotFound:
            _log.info("dyno is gone, its output is not followed any more", dyno=str(dyno_id))

    async def _follow_router(self, router: Router, text: Callable[[RequestLine], str], generation: Callable[[], str]) -> None:
        async def attempt(succeeded: Callable[[], None]) -> None:
            requests = RequestLines(f"router:{generation()}", text, self._writer, self._reader, self._clock)
            cursor = await requests.cursor()
            await _in_turns(router.requests(cursor), requests.store, succeeded)

        while True:  # the router's stream has no end: one that ends is asked again
            await self._repeated(attempt, "router")
            await self._clock.sleep(BACKOFF_MAX_S)

    async def _repeated(self, attempt: Callable[[Callable[[], None]], Awaitable[None]], subject: str) -> None:
        """Makes attempts until one ends without an error. Raises: NotFound."""
        delay_s = BACKOFF_FIRST_S

        def succeeded() -> None:
            nonlocal delay_s
            delay_s = BACKOFF_FIRST_S

        while True:
            try:
                await attempt(succeeded)
                return
            except NotFound:
                raise
            except Exception as error:  # whatever failed, the lines are still there to be read again
                _log.warning("log intake interrupted", subject=subject, reason=str(error), again_in_s=delay_s)
            await self._clock.sleep(delay_s)
            delay_s = min(delay_s * 2, BACKOFF_MAX_S)


async def _in_turns(
    batches: AsyncIterator[list[_T]], store: Callable[[Sequence[_T]], Awaitable[None]], succeeded: Callable[[], None]
) -> None:
    async with _closing(batches):
        async for batch in batches:
            for start in range(0, len(batch), TURN_LINES):
                await store(batch[start : start + TURN_LINES])
                await asyncio.sleep(0)
            succeeded()


async def _with_pauses(
    batches: AsyncIterator[_T], is_waited_for: Callable[[], bool], paused: Callable[[], Awaitable[None]]
) -> AsyncIterator[_T]:
    """The same batches. `paused` is called when `is_waited_for` and none has come for PAUSE_S."""
    async with _closing(batches):
        while True:
            if is_waited_for():
                batch = await _next_after_pause(batches, paused)
            else:
                batch = await anext(batches, None)
            if batch is None:
                return
            yield batch


async def _next_after_pause(batches: AsyncIterator[_T], paused: Callable[[], Awaitable[None]]) -> _T | None:
    coming = asyncio.ensure_future(anext(batches, None))
    try:
        await asyncio.wait({coming}, timeout=PAUSE_S)
        if not coming.done():
            await paused()
        return await coming
    finally:
        if not coming.done():  # a generator can be closed only when nothing waits in it
            coming.cancel()
            await asyncio.wait({coming})


@asynccontextmanager
async def _closing(iterator: AsyncIterator[_T]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
