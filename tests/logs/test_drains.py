"""Drains against receivers of every kind: what is promised is delivered in order, the rest is counted, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from senryu.core.log_drain import LogDrain
from senryu.core.log_line import LogFilter, LogLine
from senryu.logs.drain_outlet import Timeouts
from senryu.logs.drains import Drains
from senryu.logs.history import FileLogs

from .receivers import AT, Authority, HttpReceiver, Names, QuickClock, SyslogReceiver, authority, eventually, open_receiver


@dataclass
class Rig:
    """Logs of apps, and drains that can be added, removed and restarted."""

    logs: FileLogs
    directory: Path
    clock: QuickClock = field(default_factory=QuickClock)
    names: Names = field(default_factory=Names)
    wanted: list[LogDrain] = field(default_factory=list)
    authority: Authority | None = None
    allow_private: bool = True
    drains: Drains | None = None

    def add(self, url: str, app_id: UUID, after_seq: int = 0) -> LogDrain:
        made = LogDrain(uuid4(), app_id, url, f"d.{uuid4()}", after_seq, AT, AT)
        self.wanted.append(made)
        if self.drains is not None:
            self.drains.wake()
        return made

    def remove(self, drain: LogDrain) -> None:
        self.wanted.remove(drain)
        assert self.drains is not None
        self.drains.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Drains]:
        async def wanted() -> list[LogDrain]:
            return list(self.wanted)

        self.drains = Drains(
            wanted=wanted,
            directory=self.directory,
            reader=self.logs,
            writer=self.logs,
            resolver=self.names,
            clock=self.clock,
            allow_private=self.allow_private,
            tls=self.authority.trusting if self.authority else None,
            timeouts=Timeouts(connect_s=1.0, request_s=0.3, send_s=0.3),
        )
        async with self.drains:
            yield self.drains

    async def say(self, app_id: UUID, first: int, last: int) -> list[str]:
        texts = [f"line {number}" for number in range(first, last + 1)]
        await self.logs.write(app_id, [LogLine(AT, "app", "web.1", text) for text in texts])
        return texts

    async def told_of(self, app_id: UUID, count: int) -> None:
        """Waits until the app's log tells of so many lost lines, and no more."""
        for _ in range(1000):
            if (told := lost(await self.log_of(app_id))) >= count:
                break
            await asyncio.sleep(0.01)
        assert told == count

    async def log_of(self, app_id: UUID) -> list[str]:
        lines = await self.logs.history(app_id, LogFilter(source="heroku", dyno="logplex"), 1500)
        return [line.text for line in lines]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with FileLogs(tmp_path / "logs") as logs:
        yield Rig(logs, tmp_path / "drains")


def _is_said(receiver: HttpReceiver, expected: list[str]) -> bool:
    return receiver.said == expected


def lost(texts: list[str]) -> int:
    """How many lines the L10 lines among the texts tell of."""
    return sum(int(text.split(": ")[1].split(" ")[0]) for text in texts if text.startswith("Error L10"))


async def test_a_request_has_logplexs_headers_and_as_many_frames_as_it_says(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver()
    async with open_receiver(receiver), rig.running():
        drain = rig.add(f"http://me:p%40ss@127.0.0.1:{receiver.port}/in?key=1", app)
        said = await rig.say(app, 1, 5)
        await eventually(lambda: receiver.said == said)
    post = receiver.posts[0]
    assert post.path == "/in?key=1"
    assert post.headers["Content-Type"] == "application/logplex-1"
    assert int(post.headers["Logplex-Msg-Count"]) == len(post.said)
    assert post.headers["Logplex-Drain-Token"] == drain.token
    assert len(post.headers["Logplex-Frame-Id"]) == 32 and set(post.headers["Logplex-Frame-Id"]) <= set("0123456789ABCDEF")
    assert post.headers["User-Agent"].startswith("Logplex/v")
    assert post.headers["Authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert "ss@" not in post.headers["Host"]


async def test_lines_go_to_the_drains_of_their_own_app_only_in_order_and_on_one_connection(rig: Rig) -> None:
    apps, receivers = [uuid4() for _ in range(3)], [HttpReceiver() for _ in range(3)]
    async with open_receiver(receivers[0]), open_receiver(receivers[1]), open_receiver(receivers[2]), rig.running():
        for app, receiver in zip(apps, receivers, strict=True):
            rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        for number in range(1, 31):
            for place, app in enumerate(apps):
                await rig.say(app, number + 1000 * place, number + 1000 * place)
        for place, receiver in enumerate(receivers):
            expected = [f"line {number + 1000 * place}" for number in range(1, 31)]
            await eventually(partial(_is_said, receiver, expected))
    assert [receiver.connections for receiver in receivers] == [1, 1, 1]


@pytest.mark.parametrize("answer", [500, 503, 429, 302, "cut", "silent"])
async def test_a_request_that_fails_is_repeated_with_the_same_id_and_body(rig: Rig, answer: int | str) -> None:
    app, receiver = uuid4(), HttpReceiver([answer, answer, 200])
    async with open_receiver(receiver), rig.running():
        rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        said = await rig.say(app, 1, 5)
        await eventually(lambda: receiver.said == said)
    assert len(receiver.posts) == 3
    assert len({(post.headers["Logplex-Frame-Id"], post.body, post.path) for post in receiver.posts}) == 1
    assert await rig.log_of(app) == []


async def test_a_request_that_fails_three_times_is_dropped_and_told_of_first_when_it_works_again(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver([500, 500, 500, 200])
    async with open_receiver(receiver), rig.running():
        rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        await rig.say(app, 1, 5)
        await eventually(lambda: len(receiver.posts) == 3)
        await rig.say(app, 6, 6)
        await eventually(lambda: receiver.taken)
        assert receiver.said[0].startswith("Error L10 (output buffer overflow): 5 messages dropped since 2026-01-02T03:04:")
        assert receiver.said[1:] == ["line 6"]
        assert receiver.taken[0].headers["Logplex-Msg-Count"] == "2"
        await rig.told_of(app, 5)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_refused_request_is_not_repeated(rig: Rig, status: int) -> None:
    app, receiver = uuid4(), HttpReceiver([status, 200])
    async with open_receiver(receiver), rig.running():
        rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        await rig.say(app, 1, 3)
        await eventually(lambda: len(receiver.posts) == 1)
        await rig.say(app, 4, 4)
        await eventually(lambda: receiver.taken)
    assert len(receiver.posts) == 2
    assert lost(receiver.said) == 3


async def test_lines_wait_for_a_receiver_that_is_down_and_none_is_lost(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver()
    async with open_receiver(receiver):
        pass
    async with rig.running():
        rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        said = await rig.say(app, 1, 1024)
        await eventually(lambda: len(rig.clock.slept) > 20, "retries")
        async with open_receiver(receiver, port=receiver.port):
            await eventually(lambda: receiver.said == said)
    assert max(rig.clock.slept) <= 10.24


async def test_what_does_not_fit_is_displaced_and_the_count_is_exact_in_the_log_and_at_the_receiver(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver()
    async with open_receiver(receiver):
        pass
    async with rig.running():
        rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        for start in range(1, 3000, 100):
            await rig.say(app, start, start + 99)
            await asyncio.sleep(0.002)
        await eventually(lambda: len(rig.clock.slept) > 20, "retries")
        async with open_receiver(receiver, port=receiver.port):
            await eventually(lambda: receiver.said and receiver.said[-1] == "line 3000")
            kept = [text for text in receiver.said if text.startswith("line ")]
            assert receiver.said[0].startswith("Error L10")
            assert kept == [f"line {number}" for number in range(3000 - len(kept) + 1, 3001)]
            assert lost(receiver.said) == 3000 - len(kept)
            assert 1 <= len(kept) <= 1024
        await rig.told_of(app, 3000 - len(kept))


async def test_a_restart_goes_on_behind_what_was_taken(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver()
    async with open_receiver(receiver):
        async with rig.running():
            rig.add(f"http://127.0.0.1:{receiver.port}/", app)
            await rig.say(app, 1, 10)
            await eventually(lambda: len(receiver.said) == 10)
            await eventually(lambda: list(rig.directory.iterdir()), "a mark")
        await rig.say(app, 11, 20)
        async with rig.running():
            await eventually(lambda: len(receiver.said) >= 20)
    assert receiver.said == [f"line {number}" for number in range(1, 21)]


async def test_losses_not_told_yet_are_told_after_a_restart(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver([404, 200])
    async with open_receiver(receiver):
        async with rig.running():
            rig.add(f"http://127.0.0.1:{receiver.port}/", app)
            await rig.say(app, 1, 7)
            await eventually(lambda: list(rig.directory.iterdir()), "a mark")
        async with rig.running():
            await rig.say(app, 8, 8)
            await eventually(lambda: receiver.taken)
    assert lost(receiver.said) == 7
    assert receiver.said[1:] == ["line 8"]


async def test_a_drain_begins_with_what_comes_after_it_and_ends_when_it_is_removed(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver()
    await rig.say(app, 1, 10)
    async with open_receiver(receiver), rig.running():
        drain = rig.add(f"http://127.0.0.1:{receiver.port}/", app, after_seq=10)
        await rig.say(app, 11, 11)
        await eventually(lambda: receiver.said == ["line 11"])
        rig.remove(drain)
        await eventually(lambda: not list(rig.directory.iterdir()), "its mark to go")
        await rig.say(app, 12, 12)
        other = HttpReceiver()
        async with open_receiver(other):
            rig.add(f"http://127.0.0.1:{other.port}/", app, after_seq=11)
            await eventually(lambda: other.said == ["line 12"])
    assert receiver.said == ["line 11"]


async def test_a_receiver_that_never_answers_holds_up_nobody_else(rig: Rig) -> None:
    slow_app, app, slow, good = uuid4(), uuid4(), HttpReceiver(["silent"]), HttpReceiver()
    async with open_receiver(slow), open_receiver(good), rig.running():
        for _ in range(5):
            rig.add(f"http://127.0.0.1:{slow.port}/", slow_app)
        rig.add(f"http://127.0.0.1:{good.port}/", slow_app)
        rig.add(f"http://127.0.0.1:{good.port}/", app)
        await rig.say(slow_app, 1, 500)
        await rig.say(app, 1001, 1500)
        await eventually(lambda: sorted(good.said) == sorted(f"line {n}" for n in (*range(1, 501), *range(1001, 1501))))
    assert slow.taken == []


async def test_a_drain_that_leads_back_to_its_own_app_is_held_to_four_requests_a_second(rig: Rig) -> None:
    app, receiver = uuid4(), HttpReceiver()
    async with open_receiver(receiver), rig.running():
        rig.add(f"http://127.0.0.1:{receiver.port}/", app)
        await rig.say(app, 1, 1)
        for number in range(1, 13):
            await eventually(partial(_has_posts, receiver, number))
            await rig.logs.write(app, [LogLine(AT, "heroku", "router", "at=info method=POST") for _ in range(2)])
        assert rig.clock.monotonic() >= 11 * 0.25


def _has_posts(receiver: HttpReceiver, count: int) -> bool:
    return len(receiver.posts) >= count


async def test_syslog_messages_are_counted_and_name_the_drain(rig: Rig) -> None:
    app, receiver = uuid4(), SyslogReceiver()
    async with open_receiver(receiver), rig.running():
        drain = rig.add(f"syslog://127.0.0.1:{receiver.port}", app)
        said = await rig.say(app, 1, 300)
        await eventually(lambda: receiver.received.endswith(b"line 300\n"))
    assert receiver.said == said
    assert f" {drain.token} app web.1 - - line 1\n".encode() in receiver.received
    assert receiver.connections == 1


async def test_a_connection_the_receiver_closed_is_opened_again_half_a_minute_later(rig: Rig) -> None:
    app, receiver = uuid4(), SyslogReceiver()
    async with open_receiver(receiver), rig.running():
        rig.add(f"syslog://127.0.0.1:{receiver.port}", app)
        await rig.say(app, 1, 1)
        await eventually(lambda: receiver.said == ["line 1"])
        receiver.drop()
        await asyncio.sleep(0.05)  # the end of the connection is on its way
        before = rig.clock.monotonic()
        await rig.say(app, 2, 2)
        await eventually(lambda: receiver.said == ["line 1", "line 2"])
        assert rig.clock.monotonic() - before >= 29


async def test_a_syslog_receiver_that_does_not_read_loses_packets_which_are_counted(rig: Rig) -> None:
    app, receiver = uuid4(), SyslogReceiver(is_reading=False)
    async with open_receiver(receiver), rig.running():
        rig.add(f"syslog://127.0.0.1:{receiver.port}", app)
        for _ in range(12):
            await rig.logs.write(app, [LogLine(AT, "app", "web.1", "x" * 9000) for _ in range(150)])
            await asyncio.sleep(0.05)
        for _ in range(600):
            if lost(await rig.log_of(app)):
                break
            await asyncio.sleep(0.02)
        assert lost(await rig.log_of(app)) > 0
        receiver.is_reading = True


async def test_tls_is_checked_against_the_authority_and_the_name(rig: Rig, tmp_path: Path) -> None:
    rig.authority = authority(tmp_path / "ca")
    app, https, syslog = uuid4(), HttpReceiver(), SyslogReceiver()
    tls = rig.authority.serving("logs.example.com")
    async with open_receiver(https, tls=tls), open_receiver(syslog, tls=tls), rig.running():
        rig.add(f"https://logs.example.com:{https.port}/", app)
        rig.add(f"syslog+tls://logs.example.com:{syslog.port}", app)
        said = await rig.say(app, 1, 20)
        await eventually(lambda: https.said == said and syslog.received.endswith(b"line 20\n"))
    assert await rig.log_of(app) == []


@pytest.mark.parametrize("scheme", ["https", "syslog+tls"])
@pytest.mark.parametrize("lie", ["name", "authority", "plain"])
async def test_a_receiver_that_lies_about_tls_gets_nothing_and_the_log_says_why(rig: Rig, tmp_path: Path, scheme: str, lie: str) -> None:
    rig.authority = authority(tmp_path / "ca")
    other = authority(tmp_path / "other")
    tls = {"name": rig.authority.serving("evil.example.com"), "authority": other.serving("logs.example.com"), "plain": None}[lie]
    app, receiver = uuid4(), HttpReceiver() if scheme == "https" else SyslogReceiver()
    async with open_receiver(receiver, tls=tls), rig.running():
        rig.add(f"{scheme}://{'me:s3cret@' if scheme == 'https' else ''}logs.example.com:{receiver.port}", app)
        await rig.say(app, 1, 3)
        told: list[str] = []
        for _ in range(500):
            told = await rig.log_of(app)
            if told or (lie == "plain" and len(rig.clock.slept) > 1):
                break
            await asyncio.sleep(0.01)
    if lie != "plain":
        assert told[0].startswith("Error L14 (certificate validation): error=")
        assert "s3cret" not in "".join(told)
    assert receiver.said == [] if isinstance(receiver, HttpReceiver) else b"line" not in receiver.received


async def test_a_new_address_of_the_receiver_is_found_with_the_next_connection(rig: Rig) -> None:
    app, old, new = uuid4(), HttpReceiver(), HttpReceiver()
    rig.names.known["logs.example.com"] = ["127.0.0.2"]
    async with rig.running():
        async with open_receiver(old, host="127.0.0.2"):
            rig.add(f"http://logs.example.com:{old.port}/", app)
            await rig.say(app, 1, 1)
            await eventually(lambda: old.said == ["line 1"])
        rig.names.known["logs.example.com"] = ["127.0.0.3"]
        async with open_receiver(new, host="127.0.0.3", port=old.port):
            await rig.say(app, 2, 2)
            await eventually(lambda: new.said == ["line 2"])
        assert new.posts[0].headers["Host"] == f"logs.example.com:{old.port}"


@pytest.mark.parametrize("scheme", ["http", "syslog"])
async def test_a_name_that_comes_to_lead_inside_is_not_connected_to(rig: Rig, scheme: str) -> None:
    rig.allow_private = False
    app, receiver = uuid4(), HttpReceiver() if scheme == "http" else SyslogReceiver()
    async with open_receiver(receiver), rig.running():
        for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]):
            rig.names.known[f"h{len(rig.wanted)}.example.com"] = addresses
            rig.add(f"{scheme}://h{len(rig.wanted)}.example.com:{receiver.port}", app)
        await rig.say(app, 1, 3)
        await eventually(lambda: rig.names.asked > 12, "look-ups")
    assert receiver.connections == 0
