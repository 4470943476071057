"""What every LogWriter with its LogReader must do; run on the files and on the memory one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest

from senryu.core import limits
from senryu.core.log_line import LogFilter, LogLine, formatted
from senryu.logs.history import FileLogs
from senryu.logs.memory import MemoryLogs

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ALL = LogFilter()
DEADLINE_S = 20.0
Logs = FileLogs | MemoryLogs


@pytest.fixture(params=["files", "memory"])
async def logs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Logs]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryLogs()
        else:
            yield await stack.enter_async_context(FileLogs(tmp_path / "logs"))


@pytest.fixture
def app_id() -> UUID:
    return uuid4()


def line(text: str, process: str = "web.1", source: str = "app", origin: str = "", position: int = 0) -> LogLine:
    return LogLine(AT, source, process, text, origin, position)


def numbered(count: int, start: int = 0) -> list[LogLine]:
    return [line(f"line {number}", origin="dyno", position=number) for number in range(start, start + count)]


async def texts(logs: Logs, app_id: UUID, wanted: LogFilter = ALL, lines: int = 5000) -> list[str]:
    return [found.text for found in await logs.history(app_id, wanted, lines)]


async def taken(tail: AsyncIterator[list[LogLine]], until: Callable[[list[LogLine]], bool]) -> list[LogLine]:
    found: list[LogLine] = []
    async with asyncio.timeout(DEADLINE_S):
        async for batch in tail:
            found += batch
            if until(found):
                break
    return found


def opened(tail: AsyncIterator[list[LogLine]]) -> aclosing[AsyncGenerator[list[LogLine], None]]:
    return aclosing(cast("AsyncGenerator[list[LogLine], None]", tail))


async def test_lines_come_back_whole_and_in_order(logs: Logs, app_id: UUID) -> None:
    written = [line("first"), line("", "router", "heroku"), line("tab\tand \x1b[31mred\x1b[0m é", "web.2", "app", "dyno", 42)]
    await logs.write(app_id, written)
    found = await logs.history(app_id, ALL, 100)
    assert [(each.at, each.source, each.process, each.text, each.origin, each.position) for each in found] == [
        (each.at, each.source, each.process, each.text, each.origin, each.position) for each in written
    ]
    assert [each.seq for each in found] == sorted({each.seq for each in found})
    assert all(each.seq > 0 for each in found)


async def test_a_time_in_another_zone_is_kept_as_utc(logs: Logs, app_id: UUID) -> None:
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await logs.write(app_id, [LogLine(there, "app", "web.1", "x")])
    assert formatted((await logs.history(app_id, ALL, 1))[0]) == "2026-01-02T03:04:05.678901+00:00 app[web.1]: x"


async def test_history_gives_the_newest_matching_lines_oldest_first(logs: Logs, app_id: UUID) -> None:
    for number in range(30):
        await logs.write(app_id, [line(f"w{number}", "web.1"), line(f"k{number}", "worker.1"), line(f"h{number}", "web.1", "heroku")])
    assert await texts(logs, app_id, LogFilter(dyno="worker.1"), 2) == ["k28", "k29"]
    assert await texts(logs, app_id, LogFilter(dyno="web"), 3) == ["h28", "w29", "h29"]
    assert await texts(logs, app_id, LogFilter("heroku", "web.1"), 2) == ["h28", "h29"]
    assert await texts(logs, app_id, LogFilter("heroku", "worker"), 2) == []
    assert await texts(logs, app_id, ALL, 0) == []


async def test_an_app_never_heard_of_has_an_empty_history(logs: Logs, app_id: UUID) -> None:
    assert await logs.history(app_id, ALL, 10) == []
    assert await logs.last_position(app_id, "dyno") == -1


async def test_those_that_have_a_log_are_known_until_they_are_forgotten(logs: Logs, app_id: UUID) -> None:
    assert await logs.apps() == set()
    await logs.write(app_id, numbered(1))
    await logs.write(UUID(int=0), numbered(1))  # no app's: where the router's log was read up to
    assert await logs.apps() == {app_id}
    await logs.forget(app_id)
    assert await logs.apps() == set()


async def test_one_app_sees_nothing_of_another(logs: Logs, app_id: UUID) -> None:
    other = uuid4()
    await logs.write(app_id, [line("mine", origin="dyno", position=5)])
    await logs.write(other, [line("theirs", origin="dyno", position=9)])
    assert await texts(logs, app_id) == ["mine"]
    assert await texts(logs, other) == ["theirs"]
    assert await logs.last_position(app_id, "dyno") == 5


async def test_the_last_position_is_the_highest_of_its_origin(logs: Logs, app_id: UUID) -> None:
    await logs.write(
        app_id, [line("a", origin="one", position=0), line("b", origin="two", position=70), line("c", origin="one", position=12)]
    )
    await logs.write(app_id, [line("ours")])
    assert [await logs.last_position(app_id, origin) for origin in ("one", "two", "three", "")] == [12, 70, -1, -1]


@pytest.mark.parametrize(
    "forged", ["a\n2026-01-02T03:04:05.000000+00:00 heroku[router]: b", "a\rb", "a\x00b", "a\x1b[2Jb", "a\u2028b", "a\u202eb"]
)
async def test_no_text_makes_a_second_record_or_moves_a_cursor(logs: Logs, app_id: UUID, forged: str) -> None:
    await logs.write(app_id, [line("before"), line(forged), line("after")])
    found = await logs.history(app_id, LogFilter("app"), 100)
    assert [found[0].text, found[-1].text] == ["before", "after"]
    assert await logs.history(app_id, LogFilter("heroku"), 100) == []
    assert not set("".join(each.text for each in found)) & set("\n\r\x00\x1b\u2028\u202e")


async def test_a_line_too_long_is_kept_in_pieces(logs: Logs, app_id: UUID) -> None:
    await logs.write(app_id, [line("é" * 12_000, origin="dyno", position=3), line("next")])
    found = await texts(logs, app_id)
    assert "".join(found[:-1]) == "é" * 12_000
    assert max(len(text.encode()) for text in found) <= limits.LOG_LINE_MAX_BYTES


async def test_at_least_1500_lines_are_kept(logs: Logs, app_id: UUID) -> None:
    await logs.write(app_id, numbered(4000))
    assert (await texts(logs, app_id, lines=1500)) == [f"line {number}" for number in range(2500, 4000)]


async def test_a_tail_gives_history_then_live_lines_none_twice(logs: Logs, app_id: UUID) -> None:
    await logs.write(app_id, numbered(10))
    after = (await logs.history(app_id, ALL, 100))[3].seq
    async with opened(logs.tail(app_id, ALL, after)) as tail, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(taken(tail, lambda found: len(found) >= 1006))
        for number in range(10, 1010):
            await logs.write(app_id, numbered(1, number))
            await asyncio.sleep(0)
    assert [each.text for each in reading.result()] == [f"line {number}" for number in range(4, 1010)]


async def test_a_tail_far_behind_catches_up_with_a_busy_app(logs: Logs, app_id: UUID) -> None:
    await logs.write(app_id, numbered(1400))
    async with opened(logs.tail(app_id, ALL, 0)) as tail, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(taken(tail, lambda found: found[-1].text == "line 1499"))
        for start in range(1400, 1500, 10):
            await logs.write(app_id, numbered(10, start))
            await asyncio.sleep(0.001)
    assert [each.text for each in reading.result()] == [f"line {number}" for number in range(1500)]


async def test_a_tail_from_a_place_not_reached_yet_gives_what_comes(logs: Logs, app_id: UUID) -> None:
    await logs.write(app_id, numbered(1))
    async with opened(logs.tail(app_id, ALL, 10**9)) as tail, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(taken(tail, bool))
        for _ in range(5):
            await asyncio.sleep(0)
        await logs.write(app_id, numbered(1, 1))
    assert [each.text for each in reading.result()] == ["line 1"]


async def test_several_tails_each_get_what_they_asked_for(logs: Logs, app_id: UUID) -> None:
    wanted = [ALL, LogFilter(dyno="web"), LogFilter("heroku")]
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        tails = [await stack.enter_async_context(opened(logs.tail(app_id, each, 0))) for each in wanted]
        readings = [tasks.create_task(taken(tail, lambda found: found[-1].text == "end")) for tail in tails]
        for _ in range(5):
            await asyncio.sleep(0)
        await logs.write(app_id, [line("a"), line("b", "worker.1"), line("c", "web.2", "heroku"), line("end", "web.1", "heroku")])
    assert [[each.text for each in reading.result()] for reading in readings] == [["a", "b", "c", "end"], ["a", "c", "end"], ["c", "end"]]


async def test_a_slow_tail_is_told_how_many_lines_it_lost(logs: Logs, app_id: UUID) -> None:
    async with opened(logs.tail(app_id, LogFilter(dyno="web"), 0)) as tail:
        await logs.write(app_id, [line("first")])
        assert [each.text for each in await anext(tail)] == ["first"]
        reading = asyncio.ensure_future(anext(tail))
        for _ in range(5):
            await asyncio.sleep(0)
        await logs.write(app_id, [line("wakes")])
        await reading
        for start in range(0, 3000, 10):  # nobody reads meanwhile
            await logs.write(app_id, [*numbered(10, start), line("not asked for", "worker.1")])
        found = await taken(tail, lambda found: found[-1].text == "line 2999")
    lost = 3000 - limits.LOG_TAIL_BUFFER_LINES
    assert (found[0].source, found[0].process) == ("heroku", "logplex")
    assert found[0].text.startswith(f"Error L11 (Tail buffer overflow) -> This tail session dropped {lost} messages since 20")
    assert [each.text for each in found[1:]] == [f"line {number}" for number in range(lost, 3000)]
    assert found[0].seq < found[1].seq


async def test_a_tail_that_asks_for_lines_no_longer_kept_is_told_how_many(app_id: UUID, tmp_path: Path) -> None:
    async with FileLogs(tmp_path, segment_bytes=10_000, budget_bytes=50_000) as files:
        for logs in (files, MemoryLogs()):
            await logs.write(app_id, numbered(6000))
            async with opened(logs.tail(app_id, ALL, 10)) as tail:
                found = await taken(tail, lambda found: found[-1].text == "line 5999")
            kept = len(found) - 1
            assert f"dropped {6000 - 10 - kept} messages" in found[0].text
            assert 1500 <= kept < 4000


async def test_a_forgotten_app_has_no_lines_and_takes_none(logs: Logs, app_id: UUID) -> None:
    await logs.write(app_id, numbered(5))
    async with opened(logs.tail(app_id, ALL, 0)) as tail, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(taken(tail, lambda found: False))
        for _ in range(50):
            await asyncio.sleep(0.001)
        await logs.forget(app_id)
        await logs.forget(app_id)
    assert len(reading.result()) == 5
    await logs.write(app_id, numbered(1))
    assert await texts(logs, app_id) == []
    assert await logs.last_position(app_id, "dyno") == -1
    assert await taken(logs.tail(app_id, ALL, 0), bool) == []
