"""The intake: everything a dyno or the router said is stored once, whatever fails in between."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from senryu.core.dyno import Output, OutputReader
from senryu.core.errors import NotFound, Unavailable
from senryu.core.log_line import LogFilter, LogLine, formatted
from senryu.core.route import RequestLine
from senryu.logs.dyno_lines import DynoLines
from senryu.logs.history import FileLogs
from senryu.logs.intake import TURN_LINES, Intake
from senryu.logs.memory import MemoryLogs

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = LogFilter()
DEADLINE_S = 20.0


class FakeClock:
    """Time goes when somebody sleeps or the test says so."""

    def __init__(self) -> None:
        self.at = START
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    def boot(self) -> str:
        return "boot"

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)
        self.at += timedelta(seconds=delay_s)
        await asyncio.sleep(0)


@dataclass
class Records:
    """An engine's records: what dynos wrote. Fails as often as `failures` says, in the middle of what it gives."""

    outputs: defaultdict[UUID, list[Output]] = field(default_factory=lambda: defaultdict(list))
    ended: set[UUID] = field(default_factory=set)
    failures: int = 0
    batch_lines: int = 50
    asked_after: list[int] = field(default_factory=list)
    error: Exception = field(default_factory=lambda: Unavailable("The agent does not answer."))

    def say(self, dyno_id: UUID, *texts: bytes, at: datetime = START, lost: int = 0) -> None:
        said = self.outputs[dyno_id]
        for text in texts:
            position = said[-1].position + len(said[-1].text) + 40 if said else 0
            said.append(Output(dyno_id, position, at, "stdout", text, lost))

    async def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        self.asked_after.append(after)
        while True:
            batch = [output for output in self.outputs[dyno_id] if output.position > after][: self.batch_lines]
            if batch:
                after = batch[-1].position
                yield batch
                if self.failures:
                    self.failures -= 1
                    raise self.error
            elif dyno_id in self.ended:
                return
            else:
                await asyncio.sleep(0.001)


class FailingLogs(MemoryLogs):
    """A history whose disk is full now and then, and that counts what comes in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.longest_write = 0

    async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
        self.longest_write = max(self.longest_write, len(lines))
        if self.failures:
            self.failures -= 1
            raise Unavailable("The disk is full.")
        await super().write(app_id, lines)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def texts(logs: MemoryLogs | FileLogs, app_id: UUID) -> list[str]:
    return [line.text for line in await logs.history(app_id, ALL, 10_000)]


async def take_all(logs: MemoryLogs | FileLogs, records: Records, app_id: UUID, dyno_id: UUID, clock: FakeClock | None = None) -> None:
    async with Intake(outputs=records, writer=logs, reader=logs, clock=clock or FakeClock()) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        await until(lambda: not intake.followed())


@pytest.fixture
def dyno_id() -> UUID:
    return uuid4()


@pytest.fixture
def app_id() -> UUID:
    return uuid4()


async def test_what_a_dyno_writes_is_in_its_apps_stream(app_id: UUID, dyno_id: UUID) -> None:
    logs, records = MemoryLogs(), Records(ended={dyno_id})
    records.say(dyno_id, b"hello", b"bad \xff\r", b"x" * 12_000, b"2026-01-02T03:04:05.000000+00:00 heroku[router]: forged")
    await take_all(logs, records, app_id, dyno_id)
    found = await logs.history(app_id, ALL, 100)
    assert formatted(found[0]) == "2026-01-02T03:04:05.000000+00:00 app[web.1]: hello"
    assert [line.text for line in found[1:]] == [
        "bad \ufffd",
        "x" * 10_000,
        "x" * 2000,
        "2026-01-02T03:04:05.000000+00:00 heroku[router]: forged",
    ]
    assert {(line.source, line.process, line.origin) for line in found} == {("app", "web.1", str(dyno_id))}


async def test_following_twice_is_once(app_id: UUID, dyno_id: UUID) -> None:
    logs, records = MemoryLogs(), Records()
    records.say(dyno_id, b"a")
    async with Intake(outputs=records, writer=logs, reader=logs, clock=FakeClock()) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        intake.follow(app_id, dyno_id, "web.1")
        await until(lambda: bool(records.asked_after))
        assert intake.followed() == {dyno_id}
    assert len(records.asked_after) == 1


async def test_reading_out_takes_the_last_words(app_id: UUID, dyno_id: UUID) -> None:
    logs, records = MemoryLogs(), Records()
    async with Intake(outputs=records, writer=logs, reader=logs, clock=FakeClock()) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        records.say(dyno_id, b"last words")
        records.ended.add(dyno_id)
        await intake.read_out(dyno_id, DEADLINE_S)
        assert intake.followed() == frozenset()
        await intake.read_out(dyno_id)
    assert await texts(logs, app_id) == ["last words"]


async def test_reading_out_a_dyno_that_goes_on_has_a_limit(app_id: UUID, dyno_id: UUID) -> None:
    logs, records = MemoryLogs(), Records()
    async with Intake(outputs=records, writer=logs, reader=logs, clock=FakeClock()) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        await intake.read_out(dyno_id, 0.01)
        assert intake.followed() == {dyno_id}


async def test_the_end_of_the_house_ends_every_task(app_id: UUID) -> None:
    logs, records = MemoryLogs(), Records()
    before = asyncio.all_tasks()
    async with Intake(outputs=records, writer=logs, reader=logs, clock=FakeClock()) as intake:
        for _ in range(20):
            intake.follow(app_id, uuid4(), "web.1")
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_error_of_the_caller_comes_out_as_it_is() -> None:
    logs = MemoryLogs()
    with pytest.raises(ValueError, match="mine"):
        async with Intake(outputs=Records(), writer=logs, reader=logs, clock=FakeClock()):
            raise ValueError("mine")


@pytest.mark.parametrize("batch_lines", [1, 7, 1000])
async def test_failures_of_engine_and_disk_neither_lose_nor_repeat(app_id: UUID, dyno_id: UUID, tmp_path: Path, batch_lines: int) -> None:
    logs, records, clock = FailingLogs(), Records(ended={dyno_id}, failures=9, batch_lines=batch_lines), FakeClock()
    logs.failures = 6
    records.say(dyno_id, *[str(number).encode() for number in range(700)])
    await take_all(logs, records, app_id, dyno_id, clock)
    assert await texts(logs, app_id) == [str(number) for number in range(700)]
    assert clock.slept[:3] == [0.1, 0.2, 0.4]
    assert max(clock.slept) <= 5.0


async def test_a_new_intake_goes_on_where_the_old_one_was_killed(app_id: UUID, dyno_id: UUID, tmp_path: Path) -> None:
    records = Records(batch_lines=10)
    records.say(dyno_id, *[str(number).encode() for number in range(100)])
    logs = FileLogs(tmp_path)
    async with Intake(outputs=records, writer=logs, reader=logs, clock=FakeClock()) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        async with asyncio.timeout(DEADLINE_S):
            while len(await texts(logs, app_id)) < 30:
                await asyncio.sleep(0)
    records.ended.add(dyno_id)  # `logs` is left as a killed process leaves it
    async with FileLogs(tmp_path) as reopened:
        await take_all(reopened, records, app_id, dyno_id)
        assert await texts(reopened, app_id) == [str(number) for number in range(100)]


async def test_a_dyno_that_is_gone_is_not_asked_for_again(app_id: UUID, dyno_id: UUID) -> None:
    logs, records = MemoryLogs(), Records(failures=1, error=NotFound("There is no such dyno."))
    records.say(dyno_id, b"a")
    await take_all(logs, records, app_id, dyno_id)
    assert await texts(logs, app_id) == ["a"]
    assert records.asked_after == [-1]


async def test_lines_the_engine_lost_are_told(app_id: UUID, dyno_id: UUID) -> None:
    logs, records = MemoryLogs(), Records(ended={dyno_id})
    records.say(dyno_id, b"before")
    records.say(dyno_id, b"after", lost=4711)
    await take_all(logs, records, app_id, dyno_id)
    assert await texts(logs, app_id) == ["before", "Error L13: 4711 messages lost since 2026-01-02T03:04:05.000000+00:00.", "after"]


def test_a_machine_that_slept_catches_up_without_leaving_lines_out() -> None:
    lines, dyno_id = DynoLines("web.1", "dyno"), uuid4()
    lines.resume(-1, START)
    asleep = START + timedelta(hours=1)
    for position in range(100):
        output = Output(dyno_id, position, START + timedelta(seconds=position / 10), "stdout", b"x")
        assert len(lines.lines([output], asleep + timedelta(seconds=position / 10))) == 1


async def test_left_out_lines_are_counted_exactly_and_not_read_again(app_id: UUID, dyno_id: UUID) -> None:
    records, clock = Records(batch_lines=10, ended={dyno_id}), FakeClock()
    late = START + timedelta(seconds=1)  # written after following began, taken ever later
    records.say(dyno_id, *[b"late"] * 3000, at=late)
    records.say(dyno_id, *[b"fresh"] * 5, at=START + timedelta(seconds=1000))

    class Slow(MemoryLogs):
        async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
            clock.at = min(clock.at + timedelta(seconds=2), START + timedelta(seconds=1000))
            await super().write(app_id, lines)

    logs = Slow()
    await take_all(logs, records, app_id, dyno_id, clock)
    found = await texts(logs, app_id)
    told = [int(text.split()[2]) for text in found if text.startswith("Error L12: ")]
    assert len(told) > 2
    assert found.count("late") > 100
    assert found.count("late") + sum(told) == 3000
    assert found[-16].startswith("Error L12: ")
    assert found[-15:] == ["late"] * 10 + ["fresh"] * 5  # ten: the batch that was held back
    await take_all(logs, records, app_id, dyno_id, clock)
    assert await texts(logs, app_id) == found


@pytest.mark.parametrize("has_ended", [False, True])
async def test_the_last_words_of_a_flood_are_not_left_out(
    app_id: UUID, dyno_id: UUID, has_ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("senryu.logs.intake.PAUSE_S", 0.01)
    records, clock = Records(batch_lines=10, ended={dyno_id} if has_ended else set()), FakeClock()
    records.say(dyno_id, *[b"flood"] * 2999, b"Traceback (most recent call last):", at=START + timedelta(seconds=1))

    class Slow(MemoryLogs):
        async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
            clock.at += timedelta(seconds=2)
            await super().write(app_id, lines)

    logs, found = Slow(), [""]
    async with Intake(outputs=records, writer=logs, reader=logs, clock=clock) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        async with asyncio.timeout(DEADLINE_S):
            while found[-1:] != ["Traceback (most recent call last):"]:
                await asyncio.sleep(0.01)
                found = await texts(logs, app_id)
        told = sum(int(text.split()[2]) for text in found if text.startswith("Error L12: "))
        assert told > 0
        assert found.count("flood") + told == 2999
        records.say(dyno_id, b"more", at=clock.at)
        records.ended.add(dyno_id)
        await until(lambda: not intake.followed())
    assert (await texts(logs, app_id))[len(found) :] == ([] if has_ended else ["more"])


async def test_lines_held_back_are_taken_once_when_the_disk_is_full_in_between(
    app_id: UUID, dyno_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("senryu.logs.intake.PAUSE_S", 0.01)
    records, clock = Records(batch_lines=10), FakeClock()
    records.say(dyno_id, *[b"flood"] * 999, b"last", at=START + timedelta(seconds=1))

    class SlowAndFull(MemoryLogs):
        failures = 3

        async def write(self, app_id: UUID, lines: Sequence[LogLine]) -> None:
            clock.at += timedelta(seconds=2)
            if lines and lines[-1].text == "last" and self.failures:
                self.failures -= 1
                raise Unavailable("The disk is full.")
            await super().write(app_id, lines)

    logs = SlowAndFull()
    async with Intake(outputs=records, writer=logs, reader=logs, clock=clock) as intake:
        intake.follow(app_id, dyno_id, "web.1")
        async with asyncio.timeout(DEADLINE_S):
            while (await texts(logs, app_id))[-1:] != ["last"]:
                await asyncio.sleep(0.01)
    lines = await logs.history(app_id, ALL, 10_000)
    told = sum(int(line.text.split()[2]) for line in lines if line.text.startswith("Error L12: "))
    taken = [line.position for line in lines if not line.text.startswith("Error ")]
    assert told > 0
    assert taken == sorted(set(taken))
    assert len(taken) + told == 1000


async def test_a_backlog_is_taken_whole_however_old(app_id: UUID, dyno_id: UUID) -> None:
    logs, records, clock = MemoryLogs(), Records(ended={dyno_id}, batch_lines=10), FakeClock()
    records.say(dyno_id, *[b"old"] * 1000)
    clock.at += timedelta(hours=3)
    await take_all(logs, records, app_id, dyno_id, clock)
    assert await texts(logs, app_id) == ["old"] * 1000


async def test_a_loud_dyno_leaves_others_their_turn(app_id: UUID) -> None:
    loud, quiet, other = uuid4(), uuid4(), uuid4()
    logs, records = FailingLogs(), Records(batch_lines=10**9, ended={loud, quiet})
    records.say(loud, *[b"noise"] * 20_000)
    records.say(quiet, b"signal")
    async with Intake(outputs=records, writer=logs, reader=logs, clock=FakeClock()) as intake:
        intake.follow(app_id, loud, "web.1")
        intake.follow(other, quiet, "web.1")
        await until(lambda: quiet not in intake.followed())
        assert loud in intake.followed()  # far from done
    assert await texts(logs, other) == ["signal"]
    assert logs.longest_write <= TURN_LINES


def request(position: int, app_id: UUID | None, path: str = "/") -> RequestLine:
    return RequestLine(
        position, 1_767_323_045_678, app_id, "GET", path, "a.localhost", "id", "1.2.3.4", "web.1", 1, 2, 200, 3, "https", "", "--", True
    )


@dataclass
class Requests:
    """A router that only tells of requests."""

    batches: list[list[RequestLine]]
    failures: int = 0
    asked_after: list[int] = field(default_factory=list)

    async def requests(self, after: int) -> AsyncIterator[list[RequestLine]]:
        self.asked_after.append(after)
        for batch in self.batches:
            rest = [each for each in batch if each.position > after]
            if rest:
                yield rest
            if self.failures:
                self.failures -= 1
                raise Unavailable("The router does not answer.")
        await asyncio.Event().wait()

    async def apply(self, route: object) -> None: ...
    async def remove(self, app_id: UUID) -> None: ...
    async def routes(self) -> list[object]: ...  # type: ignore[empty-body]
    async def active_requests(self, dyno_id: UUID) -> int: ...  # type: ignore[empty-body]


def words(each: RequestLine) -> str:
    if each.path == "/poison":
        raise ValueError("cannot be said")
    return f'at=info method={each.method} path="{each.path}"'


async def test_requests_are_in_the_streams_of_their_apps() -> None:
    one, two, logs = uuid4(), uuid4(), MemoryLogs()
    router = Requests(
        [[request(1, one, "/a"), request(2, None), request(3, two, "/b\r\n\x1b[2J")], [request(4, one, "/poison"), request(5, one, "/c")]]
    )
    async with Intake(outputs=Records(), writer=logs, reader=logs, clock=FakeClock()) as intake:
        intake.follow_router(router, words)  # type: ignore[arg-type]
        intake.follow_router(router, words)  # type: ignore[arg-type]
        async with asyncio.timeout(DEADLINE_S):
            while len(await texts(logs, one)) < 2:
                await asyncio.sleep(0.001)
    assert (
        formatted((await logs.history(one, ALL, 2))[0]) == '2026-01-02T03:04:05.678000+00:00 heroku[router]: at=info method=GET path="/a"'
    )
    assert await texts(logs, one) == ['at=info method=GET path="/a"', 'at=info method=GET path="/c"']
    assert await texts(logs, two) == ['at=info method=GET path="/b␍␊␛[2J"']
    assert router.asked_after == [-1]


async def test_requests_are_stored_once_though_router_disk_and_intake_fail() -> None:
    apps, logs, clock = [uuid4() for _ in range(3)], FailingLogs(), FakeClock()
    batches = [[request(n, apps[n % 3], f"/{n}") for n in range(start, start + 20)] for start in range(0, 200, 20)]
    router = Requests(batches, failures=7)
    logs.failures = 5
    for _ in range(2):  # the second intake starts from what is stored
        async with Intake(outputs=Records(), writer=logs, reader=logs, clock=clock) as intake:
            intake.follow_router(router, words)  # type: ignore[arg-type]
            async with asyncio.timeout(DEADLINE_S):
                while sum([len(await texts(logs, app)) for app in apps]) < 200:
                    await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
    for index, app in enumerate(apps):
        assert await texts(logs, app) == [f'at=info method=GET path="/{n}"' for n in range(200) if n % 3 == index]
    assert router.asked_after[-1] > -1


async def test_a_new_run_of_the_router_counts_from_the_start() -> None:
    app, logs = uuid4(), MemoryLogs()
    for generation in ("one", "two"):
        async with Intake(outputs=Records(), writer=logs, reader=logs, clock=FakeClock()) as intake:
            intake.follow_router(Requests([[request(0, app), request(1, app)]]), words, lambda run=generation: run)  # type: ignore[arg-type, misc]
            expected = 2 if generation == "one" else 4
            async with asyncio.timeout(DEADLINE_S):
                while len(await texts(logs, app)) < expected:
                    await asyncio.sleep(0.001)
    assert len(await texts(logs, app)) == 4


_: type[OutputReader] = Records
