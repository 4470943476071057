"""Reading HAProxy's request log while it grows. How its size is bounded: tests/agent/test_request_log.py."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path

from senryu.routers.haproxy.requests import request_lines

LINES, EVERY_S = 300, 0.002
LOOK_EVERY_S = 0.05


def _request(number: int) -> bytes:
    about = ["", "GET", f"/{number}", "a.example.com", "id", "", "::1", "web.1:1"]
    fields = [1700000000000, *about, *[0] * 5, 200, 5, "--", "0", "", "0", "0"]
    return json.dumps(fields).encode() + b"\n"


async def test_lines_that_come_one_by_one_are_read_many_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    log.touch()

    async def write() -> None:
        with log.open("ab", buffering=0) as router:
            for number in range(LINES):
                router.write(_request(number))
                await asyncio.sleep(EVERY_S)

    began = time.monotonic()
    writing = asyncio.create_task(write())
    batches: list[list[str]] = []
    async with asyncio.timeout(30), aclosing(request_lines(log, tmp_path / "run", -1)) as reading:
        async for batch in reading:
            batches.append([line.path for line in batch])
            if batches[-1][-1] == f"/{LINES - 1}":
                break
    await writing
    assert [path for batch in batches for path in batch] == [f"/{number}" for number in range(LINES)]
    assert len(batches) <= (time.monotonic() - began) / LOOK_EVERY_S + 1


async def test_a_log_that_was_read_takes_no_room_however_much_was_written(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    content = b"".join(map(_request, range(20_000)))
    log.write_bytes(content)
    found = 0
    async with asyncio.timeout(30), aclosing(request_lines(log, tmp_path / "run", -1)) as reading:
        async for batch in reading:
            found += len(batch)
            if found == 20_000:
                break
    assert log.stat().st_size == len(content)
    assert log.stat().st_blocks * 512 < len(content) / 2
