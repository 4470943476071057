"""The router's request log while senryud is away."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from senryu.agent.request_log import bound
from senryu.routers.haproxy.request_log import _FIELDS
from senryu.routers.haproxy.requests import request_lines

LINE = b'[1700000000000,"4:00000000-0000-0000-0000-000000000001:crowd"]' + b" " * 37 + b"\n"
MAX_BYTES = 1 << 20
COUNT = 40_000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the log is another user's")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """One of 4 MB, which senryud's user owns."""
    path = tmp_path / "router" / "requests.log"
    path.parent.mkdir()
    path.write_bytes(LINE * COUNT)
    os.chown(path, 12345, 12345)
    return path


def used_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_the_oldest_lines_go_and_are_counted(tmp_path: Path, log: Path) -> None:
    size = log.stat().st_size
    dropped = bound(tmp_path, MAX_BYTES)
    assert log.stat().st_size == size
    assert used_bytes(log) <= MAX_BYTES // 2 + 8192
    assert dropped + log.read_bytes().count(b"\n") == COUNT
    assert log.read_bytes().endswith(LINE)
    assert bound(tmp_path, MAX_BYTES) == 0


def test_what_comes_after_is_written_where_it_belongs(tmp_path: Path, log: Path) -> None:
    with log.open("ab") as router:
        bound(tmp_path, MAX_BYTES)
        router.write(LINE * COUNT)
        router.flush()
        assert bound(tmp_path, MAX_BYTES) > 0
    assert log.stat().st_size == 2 * COUNT * len(LINE)
    assert used_bytes(log) <= MAX_BYTES // 2 + 8192


def test_a_small_log_and_none_at_all_are_left_alone(tmp_path: Path) -> None:
    assert bound(tmp_path, MAX_BYTES) == 0
    log = tmp_path / "router" / "requests.log"
    log.parent.mkdir()
    log.write_bytes(LINE)
    os.chown(log, 12345, 12345)
    assert bound(tmp_path, MAX_BYTES) == 0
    assert log.read_bytes() == LINE


def test_root_s_files_are_never_touched_whatever_lies_in_the_log_s_place(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(LINE * COUNT)
    place = tmp_path / "router" / "requests.log"
    place.parent.mkdir()
    place.symlink_to(precious)
    with pytest.raises(OSError):
        bound(tmp_path, MAX_BYTES)
    place.unlink()
    os.link(precious, place)
    assert bound(tmp_path, MAX_BYTES) == 0
    place.unlink()
    os.mkfifo(place)
    os.chown(place, 12345, 12345)
    assert bound(tmp_path, MAX_BYTES) == 0
    assert precious.read_bytes() == LINE * COUNT


async def test_a_reader_that_was_away_goes_on_behind_what_was_dropped(tmp_path: Path, log: Path) -> None:
    bound(tmp_path, MAX_BYTES)
    with log.open("ab") as router:
        router.write(_request("after"))
    found: list[str] = []
    async with asyncio.timeout(20), aclosing(_reading(log, tmp_path)) as paths:
        async for path in paths:
            found.append(path)
            break
    assert found == ["/after"]


async def _reading(log: Path, folder: Path) -> AsyncGenerator[str, None]:
    async for batch in request_lines(log, folder / "run", -1):
        for line in batch:
            yield line.path


def _request(name: str) -> bytes:
    fields = [1700000000000, "", "GET", f"/{name}", "crowd.example.com", "id", "", "::1", "web.1:1", *[0] * 5, 200, 5, "--", "0", ""]
    return json.dumps([*fields, *["0"] * (_FIELDS - len(fields))]).encode() + b"\n"
