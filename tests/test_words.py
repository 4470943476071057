"""senryud's own words when nobody reads them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from senryu.words import Words


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_line_is_written_whole(pipe: tuple[int, int]) -> None:
    Words(pipe[1]).write("one line, ü\n" + "x" * 10_000 + "\n")
    assert os.read(pipe[0], 65_536).decode() == "one line, ü\n" + "x" * 10_000 + "\n"


def test_nobody_waits_for_a_reader_that_stopped_and_what_was_lost_is_counted(pipe: tuple[int, int]) -> None:
    words = Words(pipe[1])
    writer = threading.Thread(target=lambda: [words.write("x" * 999 + "\n") for _ in range(200)], daemon=True)
    writer.start()
    writer.join(20)
    assert not writer.is_alive()
    kept = os.read(pipe[0], 1 << 20)
    words.write("and on\n")
    later = os.read(pipe[0], 1 << 20).decode()
    assert later == f'{{"event": "words lost", "lines": {200 - kept.count(b"x" * 999 + bytes([10]))}, "level": "warning"}}\nand on\n'


def test_a_closed_stream_is_no_failure(pipe: tuple[int, int]) -> None:
    gone, end = os.pipe()
    os.close(gone)
    words = Words(end)
    words.write("nobody\n")
    os.close(end)
    words.write("nobody\n")
