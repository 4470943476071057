"""Log sessions: who holds the URL reads one app's lines, for a while, as events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest

from senryu.api.log_stream import LogSession, opened, signed, sse
from senryu.core.errors import Forbidden, NotFound
from senryu.core.log_line import LogLine
from senryu.logs.memory import MemoryLogs

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = bytes(range(32))
APP = UUID("5a0d3d3e-0000-4000-8000-000000000001")
DEADLINE_S = 20.0
TAIL = LogSession(APP, NOW, is_tail=True)


def session(**changes: Any) -> LogSession:
    return msgspec.structs.replace(LogSession(APP, NOW + timedelta(seconds=300), 20, True, "app", "web.1"), **changes)


def line(text: str, process: str = "web.1") -> LogLine:
    return LogLine(NOW, "app", process, text)


@dataclass(frozen=True)
class Event:
    id: int
    data: str


class Client:
    """Reads events as a browser's EventSource does."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.chunks = cast("AsyncGenerator[bytes, None]", chunks)
        self.buffer = b""
        self.comments = 0
        self.retry_ms = 0
        self.events: list[Event] = []

    async def read(self, until_events: int | None = None, until_comments: int | None = None) -> list[Event]:
        async with asyncio.timeout(DEADLINE_S):
            while (until_events is None or len(self.events) < until_events) and (until_comments is None or self.comments < until_comments):
                chunk = await anext(self.chunks, None)
                if chunk is None:
                    break
                self.take(chunk)
        return self.events

    def take(self, chunk: bytes) -> None:
        *blocks, self.buffer = (self.buffer + chunk).split(b"\n\n")
        for block in blocks:
            fields: dict[str, str] = {}
            for text in block.decode().split("\n"):
                name, _, value = text.partition(":")
                assert name not in fields
                fields[name] = value.removeprefix(" ")
            self.comments += "" in fields
            self.retry_ms = int(fields.get("retry", self.retry_ms))
            if "data" in fields:
                self.events.append(Event(int(fields["id"]), fields["data"]))


def test_a_token_says_what_its_session_says() -> None:
    token = signed(session(), KEY)
    assert opened(token, KEY, NOW) == session()
    assert opened(token, KEY, NOW) == session()  # a CLI reconnects to the same URL
    assert all(char.isalnum() or char in "-_." for char in token)


def test_an_expired_token_is_refused() -> None:
    token = signed(session(), KEY)
    opened(token, KEY, NOW + timedelta(seconds=299))
    with pytest.raises(Forbidden, match="has expired"):
        opened(token, KEY, NOW + timedelta(seconds=300))


def test_a_token_of_another_key_is_unknown() -> None:
    with pytest.raises(NotFound):
        opened(signed(session(), bytes(32)), KEY, NOW)


def test_no_changed_byte_of_a_token_goes_unnoticed() -> None:
    token = signed(session(), KEY)
    for index, char in enumerate(token):
        forged = token[:index] + ("A" if char != "A" else "B") + token[index + 1 :]
        if base64.urlsafe_b64decode(forged.partition(".")[2] + "=") == base64.urlsafe_b64decode(
            token.partition(".")[2] + "="
        ) and index > token.index("."):
            continue  # the last character of base64 has two bits that say nothing
        with pytest.raises(NotFound):
            opened(forged, KEY, NOW)


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "a", "....", "=" * 50, "A" * 10_000, "\x00"])
def test_nonsense_is_no_session(token: str) -> None:
    with pytest.raises(NotFound):
        opened(token, KEY, NOW)


async def test_history_is_sent_and_the_stream_ends() -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line(str(number)) for number in range(300)])
    client = Client(sse(logs, LogSession(APP, NOW, lines=250)))
    events = await client.read()
    assert client.retry_ms == 3000
    assert events == [Event(number + 1, f"2026-01-02T03:04:05.000000+00:00 app[web.1]: {number}") for number in range(50, 300)]


async def test_the_stream_begins_before_there_is_a_line() -> None:
    assert await anext(sse(MemoryLogs(), TAIL)) == b"retry: 3000\n\n"


async def test_more_than_1500_lines_are_never_sent() -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line(str(number)) for number in range(3000)])
    assert len(await Client(sse(logs, LogSession(APP, NOW, lines=10**9))).read()) == 1500
    assert await Client(sse(logs, LogSession(APP, NOW, lines=-5))).read() == []


async def test_a_tail_sends_history_then_what_comes_of_what_was_asked() -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line(f"old {number}") for number in range(10)])
    client = Client(sse(logs, LogSession(APP, NOW, lines=2, is_tail=True, dyno="web")))
    async with aclosing(client.chunks):
        await client.read(until_events=2)
        await logs.write(APP, [line("not mine", "worker.1"), line("new")])
        await logs.write(uuid4(), [line("of another app")])
        events = await client.read(until_events=3)
    assert [event.data.partition(": ")[2] for event in events] == ["old 8", "old 9", "new"]


@pytest.mark.parametrize("lines", [0, 5])
async def test_a_tail_without_matching_history_sends_only_what_comes(lines: int) -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line("old", "worker.1" if lines else "web.1") for _ in range(10)])
    client = Client(sse(logs, LogSession(APP, NOW, lines=lines, is_tail=True, dyno="web.1"), ping_s=0.01))
    async with aclosing(client.chunks):
        await client.read(until_comments=1)
        await logs.write(APP, [line("new")])
        assert [event.data.partition(": ")[2] for event in await client.read(until_events=1)] == ["new"]


async def test_a_reconnected_tail_goes_on_behind_the_last_event() -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line(str(number)) for number in range(1000)])
    client = Client(sse(logs, TAIL, "400"))
    async with aclosing(client.chunks):
        await logs.write(APP, [line("1000")])
        events = await client.read(until_events=601)
    assert [event.data.partition(": ")[2] for event in events] == [str(number) for number in range(400, 1001)]


@pytest.mark.parametrize("last_event_id", ["", "x", "-1", "1e3", "٣", "9" * 40, "1\n2"])
async def test_an_event_id_that_is_none_of_ours_is_ignored(last_event_id: str) -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line("a")])
    assert len(await Client(sse(logs, LogSession(APP, NOW), last_event_id)).read()) == 1


async def test_a_resumed_history_repeats_nothing() -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line(str(number)) for number in range(10)])
    assert [event.id for event in await Client(sse(logs, LogSession(APP, NOW), "7")).read()] == [8, 9, 10]


async def test_a_silent_tail_is_kept_alive_and_loses_nothing() -> None:
    logs = MemoryLogs()
    client = Client(sse(logs, TAIL, ping_s=0.005))
    async with aclosing(client.chunks):
        for number in range(5):
            await client.read(until_comments=client.comments + 2)
            await logs.write(APP, [line(str(number))])
        events = await client.read(until_events=5)
    assert [event.id for event in events] == [1, 2, 3, 4, 5]


async def test_a_client_that_goes_leaves_no_task_and_no_reader() -> None:
    logs, before = MemoryLogs(), asyncio.all_tasks()
    client = Client(sse(logs, TAIL, ping_s=0.005))
    async with aclosing(client.chunks):
        await client.read(until_comments=2)
    assert asyncio.all_tasks() == before
    assert not logs._tails.are_open(APP)


async def test_a_tail_ends_cleanly_with_its_app() -> None:
    logs = MemoryLogs()
    await logs.write(APP, [line("a")])
    client = Client(sse(logs, TAIL))
    await client.read(until_events=1)
    await logs.forget(APP)
    assert len(await client.read()) == 1
