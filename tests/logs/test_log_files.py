"""What the files of the history promise: nothing lost or repeated after kill -9, bounded disk, few open files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from senryu.core import limits
from senryu.core.errors import Invalid, Unavailable
from senryu.core.log_line import LogFilter, LogLine, split
from senryu.logs.history import FileLogs

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = LogFilter()
APP = UUID("5a0d3d3e-0000-4000-8000-000000000001")

# Plays the intake: goes on behind the last position stored, says on stdout what was acknowledged.
WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from senryu.core.log_line import LogLine, split
from senryu.logs.history import FileLogs

async def main(directory, app, batch_lines):
    async with FileLogs(Path(directory), segment_bytes=60_000, budget_bytes=1 << 40) as logs:
        position = await logs.last_position(app, "dyno")
        print("ready", flush=True)
        while True:
            lines = []
            for position in range(position + 1, position + 1 + batch_lines):
                text = f"line {position} " + "x" * (position % 50 if position % 37 else 30_000)
                lines += [LogLine(datetime.now(UTC), "app", "web.1", piece, "dyno", position) for piece in split(text)]
            await logs.write(app, lines)
            print(position, flush=True)

asyncio.run(main(sys.argv[1], UUID(sys.argv[2]), int(sys.argv[3])))
"""


def lines_of(positions: Sequence[int], text: str = "line {}", origin: str = "dyno") -> list[LogLine]:
    return [LogLine(AT, "app", "web.1", text.format(position), origin, position) for position in positions]


def whole_texts(found: Sequence[LogLine]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for line in found:
        texts[line.position] = texts.get(line.position, "") + line.text
    return texts


def disk_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def run_writer_and_kill_it(directory: Path, chance: random.Random) -> int:
    """Gives the last position the writer said was stored."""
    batch_lines = str(chance.choice([1, 7, 150]))
    with subprocess.Popen([sys.executable, "-c", WRITER, str(directory), str(APP), batch_lines], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            assert writer.stdout.readline() == b"ready\n"
            for _ in range(chance.randrange(1, 12)):
                acknowledged = writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().split(b"\n")
            said = [line for line in [acknowledged.strip(), *rest[:-1]] if line]  # the last may be torn
        finally:
            writer.kill()
            writer.wait(10)
    return int(said[-1])


async def test_a_killed_writer_loses_no_acknowledged_line_and_repeats_none(tmp_path: Path) -> None:
    chance = random.Random(20260102)
    for _ in range(6):
        acknowledged = run_writer_and_kill_it(tmp_path, chance)
        async with FileLogs(tmp_path, segment_bytes=60_000, budget_bytes=1 << 40) as logs:
            last = await logs.last_position(APP, "dyno")
            found = await logs.history(APP, ALL, 10**9)
        assert last >= acknowledged
        texts = whole_texts(found)
        assert list(texts) == list(range(last + 1))
        assert all(text == f"line {position} " + "x" * (position % 50 if position % 37 else 30_000) for position, text in texts.items())
        assert [line.seq for line in found] == list(range(1, len(found) + 1))


async def test_a_file_torn_at_any_byte_is_gone_on_with_exactly(tmp_path: Path) -> None:
    written = lines_of([0, 10])
    written += [LogLine(AT, "app", "web.1", piece, "dyno", 20) for piece in split("é" * 90, 100)]
    written += lines_of([30])
    async with FileLogs(tmp_path / "whole") as logs:
        await logs.write(APP, written[:1])
        await logs.write(APP, written[1:])
    (segment,) = (tmp_path / "whole" / str(APP)).glob("*.log")
    records = segment.read_bytes()
    for size in range(len(records)):
        torn = tmp_path / f"torn-{size}"
        (torn / str(APP)).mkdir(parents=True)
        (torn / str(APP) / segment.name).write_bytes(records[:size])
        async with FileLogs(torn) as logs:
            last = await logs.last_position(APP, "dyno")
            await logs.write(APP, [line for line in written if line.position > last])
            found = await logs.history(APP, ALL, 100)
        assert [(line.position, line.text) for line in found] == [(line.position, line.text) for line in written], size
        assert [line.seq for line in found] == list(range(1, len(written) + 1))


@pytest.mark.parametrize("is_closed", [True, False])
async def test_positions_outlive_the_lines_they_came_with(tmp_path: Path, is_closed: bool) -> None:
    logs = FileLogs(tmp_path, segment_bytes=20_000, budget_bytes=40_000)
    await logs.write(APP, lines_of([77], origin="long-silent"))
    for start in range(0, 6000, 100):
        await logs.write(APP, lines_of(range(start, start + 100)))
    if is_closed:
        async with logs:
            pass
    async with FileLogs(tmp_path, segment_bytes=20_000, budget_bytes=40_000) as reopened:
        assert await reopened.last_position(APP, "long-silent") == 77
        assert await reopened.last_position(APP, "dyno") == 5999
        await reopened.write(APP, lines_of([6000]))
        found = await reopened.history(APP, ALL, 10**6)
    assert found[-1].seq == 6002
    assert 1500 <= len(found) < 6000
    assert [line.seq for line in found] == list(range(found[0].seq, 6003))


@pytest.mark.parametrize("damage", [b"", b"{", b'{"segment": "x"}', b'{"segment":1,"offset":999999999,"next_seq":1,"positions":{}}'])
async def test_a_damaged_checkpoint_costs_only_time(tmp_path: Path, damage: bytes) -> None:
    async with FileLogs(tmp_path) as logs:
        await logs.write(APP, lines_of(range(50)))
    (tmp_path / str(APP) / "resume.json").write_bytes(damage)
    async with FileLogs(tmp_path) as logs:
        assert await logs.last_position(APP, "dyno") == 49
        await logs.write(APP, lines_of([50]))
        assert [line.seq for line in await logs.history(APP, ALL, 2)] == [50, 51]


async def test_a_block_lost_by_the_disk_costs_only_its_lines(tmp_path: Path) -> None:
    async with FileLogs(tmp_path) as logs:
        await logs.write(APP, lines_of(range(100)))
    (segment,) = (tmp_path / str(APP)).glob("*.log")
    records = bytearray(segment.read_bytes())
    records[1000:1200] = bytes(200)
    segment.write_bytes(records)
    async with FileLogs(tmp_path) as logs:
        found = await logs.history(APP, ALL, 1000)
        assert 90 < len(found) < 100
        assert await logs.last_position(APP, "dyno") == 99


async def test_half_a_million_lines_keep_the_last_1500_in_bounded_space(tmp_path: Path) -> None:
    text = "a line as an ordinary web application writes it, {}"
    async with FileLogs(tmp_path) as logs:
        for start in range(0, 500_000, 10_000):
            await logs.write(APP, lines_of(range(start, start + 10_000), text))
        assert disk_bytes(tmp_path) <= (8 + 2 * 2) * limits.MIB
        found = await logs.history(APP, ALL, limits.LOG_HISTORY_LINES)
        assert [line.position for line in found] == list(range(498_500, 500_000))
        assert await logs.last_position(APP, "dyno") == 499_999


async def test_1500_of_the_longest_lines_are_kept_though_over_budget(tmp_path: Path) -> None:
    async with FileLogs(tmp_path) as logs:
        for start in range(0, 4000, 100):
            await logs.write(APP, lines_of(range(start, start + 100), "{:010000}"))
        found = await logs.history(APP, ALL, limits.LOG_HISTORY_LINES)
        assert [int(line.text[-6:]) for line in found] == list(range(2500, 4000))
        assert disk_bytes(tmp_path) < 1500 * 10_200 + 2 * 2.2 * limits.MIB


async def test_idle_apps_have_no_open_files_and_lose_nothing(tmp_path: Path) -> None:
    apps = [uuid4() for _ in range(40)]
    before = len(os.listdir("/proc/self/fd"))
    async with FileLogs(tmp_path, open_streams=4) as logs:
        for position in range(3):
            for app in apps:
                await logs.write(app, lines_of([position]))
        assert len(os.listdir("/proc/self/fd")) <= before + 4
        for app in apps:
            assert [line.seq for line in await logs.history(app, ALL, 10)] == [1, 2, 3]
            assert await logs.last_position(app, "dyno") == 2
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_reading_an_unknown_app_creates_nothing(tmp_path: Path) -> None:
    async with FileLogs(tmp_path) as logs:
        assert await logs.history(APP, ALL, 10) == []
        assert await logs.last_position(APP, "dyno") == -1
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_said_and_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write

    def full(fd: int, view: memoryview) -> int:
        if len(view) <= 100:
            raise OSError(28, "No space left on device")
        return real_write(fd, view[: len(view) // 2])

    async with FileLogs(tmp_path) as logs:
        await logs.write(APP, lines_of([0]))
        monkeypatch.setattr("senryu.logs.stream.os.write", full)
        with pytest.raises(Unavailable, match=r"app 5a0d3d3e.*No space left on device; free disk space"):
            await logs.write(APP, lines_of(range(1, 50)))
        monkeypatch.undo()
        assert await logs.last_position(APP, "dyno") == 0
        await logs.write(APP, lines_of(range(1, 50)))
        assert [line.position for line in await logs.history(APP, ALL, 100)] == list(range(50))


async def test_what_a_forgotten_app_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / ".forgotten-before-a-crash").mkdir()
    async with FileLogs(tmp_path) as logs:
        await logs.write(APP, lines_of(range(10)))
        await logs.forget(APP)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("process", ["web.1\theroku", "web.1\n", "web 1"])
async def test_a_process_name_cannot_forge_a_field(tmp_path: Path, process: str) -> None:
    async with FileLogs(tmp_path) as logs:
        with pytest.raises(Invalid):
            await logs.write(APP, [LogLine(AT, "app", process, "x")])
        assert await logs.history(APP, ALL, 10) == []


async def test_files_are_for_the_platforms_user_alone(tmp_path: Path) -> None:
    async with FileLogs(tmp_path / "logs") as logs:
        await logs.write(APP, lines_of([0]))
    (segment,) = (tmp_path / "logs" / str(APP)).glob("*.log")
    assert [oct(path.stat().st_mode & 0o777) for path in (segment, segment.parent, tmp_path / "logs")] == ["0o600", "0o700", "0o700"]


async def test_a_full_disk_does_not_keep_an_idle_app_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    async with FileLogs(tmp_path, open_streams=1) as logs:
        await logs.write(APP, lines_of([0]))
        monkeypatch.setattr(Path, "write_bytes", full)
        await logs.write(uuid4(), lines_of([0]))
        monkeypatch.undo()
        assert await logs.last_position(APP, "dyno") == 0
