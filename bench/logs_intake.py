"""How fast the log room is. One command: `python bench/logs_intake.py [lines] [seconds]`.

Prints lines/s of cleaning, of the whole intake into files, and of reading back; then how long a line at 1,000 lines/s takes from the dyno's
`write` to a reader of `logs --tail`, alone and beside a dyno that writes without end. Says what it sees, asserts nothing.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from senryu.core.dyno import Output
from senryu.core.log_line import LogFilter, cleaned_all, formatted
from senryu.logs.history import FileLogs
from senryu.logs.intake import Intake

TEXT = b'10.1.2.3 - - [02/Jan/2026:03:04:05 +0000] "GET /articles/%d HTTP/1.1" 200 5120 "-" "Mozilla/5.0"'
COLOURED = b"\x1b[32mINFO\x1b[0m gr\xc3\xbc\xc3\x9fe from request %d: done in 12 ms, 3 queries, 1 cache hit, nothing else to say"
BATCH_LINES = 500


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def boot(self) -> str:
        return "boot"

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


class Record:
    """A record of `lines` lines, already in memory: the engine's own reading is not measured."""

    def __init__(self, dyno_id: UUID, lines: int, text: bytes = TEXT) -> None:
        now = datetime.now(UTC)
        self.outputs = [Output(dyno_id, number * 100, now, "stdout", text % number) for number in range(lines)]

    async def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        for start in range(0, len(self.outputs), BATCH_LINES):
            yield self.outputs[start : start + BATCH_LINES]


class Metronome:
    """A dyno that writes `per_s` lines a second for `seconds`, each saying when."""

    def __init__(self, per_s: int, seconds: float) -> None:
        self.per_s = per_s
        self.seconds = seconds

    async def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        started, said = time.perf_counter(), 0
        while said < self.per_s * self.seconds:
            due = int((time.perf_counter() - started) * self.per_s)
            if due > said:
                when = b"%.6f" % time.perf_counter()
                yield [Output(dyno_id, number, datetime.now(UTC), "stdout", when) for number in range(said, due)]
                said = due
            await asyncio.sleep(0.001)


class Flood:
    """A dyno that writes as fast as it is read."""

    async def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        position = after
        while True:
            now = datetime.now(UTC)
            yield [Output(dyno_id, position + 1 + number, now, "stdout", TEXT % number) for number in range(BATCH_LINES)]
            position += BATCH_LINES


async def measure_intake(lines: int, text: bytes, name: str) -> None:
    app_id, dyno_id = uuid4(), uuid4()
    record = Record(dyno_id, lines, text)
    texts = [output.text for output in record.outputs]
    started = time.perf_counter()
    for start in range(0, lines, BATCH_LINES):
        cleaned_all(texts[start : start + BATCH_LINES])
    say(f"clean ({name})", lines, started)
    with tempfile.TemporaryDirectory() as folder:
        async with FileLogs(Path(folder)) as logs:
            started = time.perf_counter()
            async with Intake(outputs=record, writer=logs, reader=logs, clock=RealClock()) as intake:
                intake.follow(app_id, dyno_id, "web.1")
                await intake.read_out(dyno_id, 600)
            say(f"dyno to file ({name})", lines, started)
            started = time.perf_counter()
            found = await logs.history(app_id, LogFilter(), 10**9)
            say(f"history read and parsed ({name})", len(found), started)
            started = time.perf_counter()
            for line in found:
                formatted(line)
            say(f"formatted ({name})", len(found), started)
            started = time.perf_counter()
            await logs.history(app_id, LogFilter(), 100)
            print(f"{'last 100 lines':42} {(time.perf_counter() - started) * 1000:10.2f} ms")


async def measure_delay(seconds: float, is_beside_flood: bool) -> None:
    app_id, dyno_id = uuid4(), uuid4()
    delays_s: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            logs = await stack.enter_async_context(FileLogs(Path(folder)))
            clock, metronome = RealClock(), Metronome(1000, seconds)
            if is_beside_flood:
                flooded = await stack.enter_async_context(Intake(outputs=Flood(), writer=logs, reader=logs, clock=clock))
                flooded.follow(uuid4(), uuid4(), "web.1")
            intake = await stack.enter_async_context(Intake(outputs=metronome, writer=logs, reader=logs, clock=clock))
            intake.follow(app_id, dyno_id, "web.1")
            async for batch in logs.tail(app_id, LogFilter(), 0):
                now = time.perf_counter()
                delays_s += [now - float(line.text) for line in batch]
                if len(delays_s) >= 1000 * seconds or dyno_id not in intake.followed():
                    break
    delays_s.sort()
    p50, p99 = (delays_s[int(len(delays_s) * share)] * 1000 for share in (0.5, 0.99))
    name = "tail delay at 1,000 lines/s" + (", beside a flood" if is_beside_flood else "")
    print(f"{name:42} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   {len(delays_s)} lines")


def say(name: str, lines: int, started: float) -> None:
    elapsed_s = time.perf_counter() - started
    print(f"{name:42} {lines / elapsed_s:10,.0f} lines/s")


async def main(lines: int, seconds: float) -> None:
    await measure_intake(lines, TEXT, "ASCII")
    await measure_intake(lines, COLOURED, "coloured UTF-8")
    await measure_delay(seconds, is_beside_flood=False)
    await measure_delay(seconds, is_beside_flood=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000, float(sys.argv[2]) if len(sys.argv) > 2 else 5.0))
