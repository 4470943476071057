"""One drain at work: reads its app's log into a bounded buffer and empties that into its receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid4

import structlog

from senryu.core import limits
from senryu.core.clock import Clock
from senryu.core.errors import Unavailable
from senryu.core.log_drain import LogDrain, bad_certificate, masked, origin_of, overflow
from senryu.core.log_line import LogFilter, LogLine, LogReader, LogWriter
from senryu.logs.drain_buffer import Batch, DrainBuffer, Mark
from senryu.logs.drain_outlet import BadCertificate, Outcome, Outlet

_TURN_LINES: Final = 200
_log = structlog.get_logger(__name__)


class Drain:
    """Runs until the app's log ends. `note` keeps the mark; called after each batch, also when nothing came of it."""

    def __init__(
        self,
        drain: LogDrain,
        outlet: Outlet,
        mark: Mark,
        *,
        note: Callable[[Mark], None],
        reader: LogReader,
        writer: LogWriter,
        clock: Clock,
    ) -> None:
        self._drain = drain
        self._outlet = outlet
        self._buffer = DrainBuffer(mark)
        self._note = note
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._arrived = asyncio.Event()
        self._pressing = asyncio.Event()
        self._failures = 0
        self._told = 0
        self._told_at: datetime | None = None
        self._untold_since: datetime | None = None
        self._blamed_at: datetime | None = None

    async def run(self) -> None:
        """Reads and sends until the app is gone. What the receiver does never leaves here."""
        sending = asyncio.create_task(self._send(), name=f"drain:send:{self._drain.token}")
        reading = asyncio.create_task(self._read(), name=f"drain:read:{self._drain.token}")
        try:
            done, _ = await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (sending, reading):
                task.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)
            await self._outlet.close()

    async def _read(self) -> None:
        tail = self._reader.tail(self._drain.app_id, LogFilter(), self._buffer.mark.seq)
        try:
            async for lines in tail:
                for start in range(0, len(lines), _TURN_LINES):
                    self._buffer.put(lines[start : start + _TURN_LINES], self._clock.now())
                    self._arrived.set()
                    if self._is_pressing():
                        self._pressing.set()
                    await asyncio.sleep(0)  # the sender's turn, and everyone else's
                await self._tell_losses()
        finally:
            close = getattr(tail, "aclose", None)
            if close is not None:
                await close()

    async def _send(self) -> None:
        while True:
            await self._arrived.wait()  # no timeout: a silent app's drain waits for ever
            batch = self._buffer.take(self._outlet.batch_bytes, self._outlet.framed, self._clock.now())
            if batch is None:
                self._arrived.clear()
                continue
            await self._deliver(batch)
            self._note(self._buffer.mark)
            await self._tell_losses()
            await self._gather()

    async def _gather(self) -> None:
        """Lets a quarter of a second of lines come together, or as many as are better sent at once."""
        self._pressing.clear()
        if self._is_pressing():
            return
        waits = {asyncio.create_task(self._clock.sleep(limits.DRAIN_GATHER_S)), asyncio.create_task(self._pressing.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _is_pressing(self) -> bool:
        buffer = self._buffer
        return buffer.waiting_bytes >= self._outlet.batch_bytes or buffer.waiting >= limits.DRAIN_BUFFER_LINES // 4

    async def _deliver(self, batch: Batch) -> None:
        frame_id = uuid4().hex.upper()
        for attempt in range(1, self._outlet.tries + 1):
            outcome = await self._attempt(batch, frame_id)
            if outcome in (Outcome.TAKEN, Outcome.REFUSED):
                self._failures = 0
                self._buffer.settle(self._clock.now(), is_taken=outcome is Outcome.TAKEN)
                if batch.tells and outcome is Outcome.TAKEN:
                    await self._tell_losses(is_recovery=True)
                return
            self._failures += 1
            if outcome is Outcome.UNREACHED:
                self._buffer.put_back(self._clock.now())
                self._shrink()
                await self._tell_losses()
            elif attempt == self._outlet.tries:
                self._buffer.settle(self._clock.now(), is_taken=False)
            await self._clock.sleep(self._outlet.delay_s(self._failures))
            if outcome is Outcome.UNREACHED:
                return

    async def _attempt(self, batch: Batch, frame_id: str) -> Outcome:
        try:
            return await self._outlet.send(batch, frame_id)
        except BadCertificate as problem:
            await self._blame(str(problem))
            return Outcome.UNREACHED

    def _shrink(self) -> None:
        is_syslog = self._outlet.tries == 1
        if is_syslog and self._failures >= limits.DRAIN_FAILURES_BEFORE_SHRINKING and self._buffer.is_full:
            self._buffer.shrink(limits.DRAIN_SHRUNK_LINES, self._clock.now())

    async def _tell_losses(self, *, is_recovery: bool = False) -> None:
        """L10 in the app's log: at once, then at most once a minute, and what is left when the receiver takes lines again."""
        now, count = self._clock.now(), self._buffer.lost_ever - self._told
        if not count:
            return
        self._untold_since = self._untold_since or now
        if not is_recovery and self._is_recent(self._told_at, now):
            return
        line = overflow(count, since=self._untold_since, now=now, origin=origin_of(self._drain), position=_position(now))
        self._told, self._told_at, self._untold_since = self._told + count, now, None
        await self._write(line)

    async def _blame(self, reason: str) -> None:
        """L14 in the app's log, at most once a minute."""
        now = self._clock.now()
        if self._is_recent(self._blamed_at, now):
            return
        self._blamed_at = now
        await self._write(bad_certificate(reason, self._drain.url, now=now, origin=origin_of(self._drain), position=_position(now)))

    def _is_recent(self, at: datetime | None, now: datetime) -> bool:
        return at is not None and (now - at).total_seconds() < limits.DRAIN_TOLD_S

    async def _write(self, line: LogLine) -> None:
        try:
            await self._writer.write(self._drain.app_id, [line])
        except Unavailable as problem:
            _log.warning("drain cannot tell the app", drain=masked(self._drain.url), reason=problem.message)


def _position(now: datetime) -> int:
    return int(now.timestamp() * 1_000_000)
