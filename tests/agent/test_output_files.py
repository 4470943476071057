"""The files of a dyno's output, as conmon replaces them: kept for a reader that was away, counted when they are too many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from senryu.agent.output_files import FILES_KEPT, OutputFiles


class Log:
    """What conmon does to its file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def replace(self, *lines: str) -> None:
        new = self.path.with_suffix(".tmp")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(self.path)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def files(log: Log) -> Iterator[OutputFiles]:
    held = OutputFiles(log.path)
    yield held
    held.close()


def _next(files: OutputFiles, after: int = 0) -> tuple[int, str, int] | None:
    """The file behind another: its inode, what is in it, and what is lost before it."""
    found = files.after(after)
    if found is None:
        return None
    descriptor, lost = found
    try:
        return os.fstat(descriptor).st_ino, os.pread(descriptor, 1000, 0).decode(), lost
    finally:
        os.close(descriptor)


def _all(files: OutputFiles) -> list[tuple[str, int]]:
    """Contents and losses from the oldest file that is left."""
    found, inode = [], 0
    while (one := _next(files, inode)) is not None:
        inode, text, lost = one
        found.append((text, lost))
    return found


def test_before_there_is_a_file_there_is_none(files: OutputFiles) -> None:
    files.look()
    assert _next(files) is None


def test_replaced_files_are_still_there_for_who_was_away(log: Log, files: OutputFiles) -> None:
    for text in ("one", "two", "three"):
        log.replace(text)
        files.look(was_replaced=text != "one")
    assert _all(files) == [("one\n", 0), ("two\n", 0), ("three\n", 0)]


def test_a_reader_finds_the_file_that_nobody_told_of_yet(log: Log, files: OutputFiles) -> None:
    log.replace("one")
    files.look()
    first = _next(files)
    assert first is not None and _next(files, first[0]) is None
    log.replace("two")
    second = _next(files, first[0])
    files.look(was_replaced=True)
    assert second is not None and second[1:] == ("two\n", 0)
    assert _next(files, second[0]) is None


def test_what_nobody_read_before_it_had_to_go_is_counted_to_the_line(log: Log, files: OutputFiles) -> None:
    for number in range(FILES_KEPT + 2):
        log.replace(*[str(number)] * (number + 1))
        files.look(was_replaced=number > 0)
    kept = _all(files)
    assert [lost for _, lost in kept] == [1 + 2, 0, 0, 0]
    assert kept[0][0] == "2\n2\n2\n"


def test_the_middle_of_one_endless_line_is_not_lost_without_a_word(log: Log, files: OutputFiles) -> None:
    for number in range(FILES_KEPT + 1):
        log.replace(*["2026-01-02T03:04:05.000000000+00:00 stdout P xxxx"] * 3)
        files.look(was_replaced=number > 0)
    assert [lost for _, lost in _all(files)] == [1, 0, 0, 0]


def test_what_was_read_is_not_lost(log: Log, files: OutputFiles) -> None:
    log.replace("read")
    files.look()
    assert _next(files) is not None
    for number in range(FILES_KEPT):
        log.replace(str(number))
        files.look(was_replaced=True)
    assert [lost for _, lost in _all(files)] == [0] * FILES_KEPT


def test_a_file_that_came_and_went_unseen_counts_as_the_one_before_it(log: Log, files: OutputFiles) -> None:
    log.replace("a", "b", "c")
    files.look()
    log.replace("never seen")
    log.replace("d")
    files.look(was_replaced=True)
    files.look(was_replaced=True)
    assert _all(files) == [("a\nb\nc\n", 0), ("d\n", 3)]


def test_after_the_agents_own_restart_readers_go_on_with_what_there_is(log: Log, files: OutputFiles) -> None:
    log.replace("now")
    files.look()
    found = _next(files, after=12345)
    assert found is not None and found[1:] == ("now\n", 0)


def test_files_are_there_for_the_agents_next_life_and_no_more_of_them(log: Log, files: OutputFiles) -> None:
    for number in range(FILES_KEPT + 2):
        log.replace(str(number))
        files.look(was_replaced=number > 0)
    files.close()  # as the end of the process does
    log.replace("written while no agent was there")
    names = {path.name for path in log.path.parent.iterdir()}
    assert len(names) == FILES_KEPT + 1
    later = OutputFiles(log.path)
    later.look()
    assert [text for text, _ in _all(later)] == ["3\n", "4\n", "5\n", "written while no agent was there\n"]
    later.close()
    assert len({path.stat().st_ino for path in log.path.parent.iterdir()}) == FILES_KEPT


def test_nothing_counts_as_lost_that_was_read_from_an_agent_before(log: Log, files: OutputFiles) -> None:
    log.replace("one")
    files.look()
    first = _next(files)
    assert first is not None
    later = OutputFiles(log.path)
    later.look()
    assert _next(later, first[0]) is None
    for number in range(FILES_KEPT):
        log.replace(str(number))
        later.look(was_replaced=True)
    assert _all(later) == [(f"{number}\n", 0) for number in range(FILES_KEPT)]
    later.close()


def test_once_let_go_no_name_is_made(log: Log, files: OutputFiles) -> None:
    files.close()
    log.replace("one")
    files.look()
    assert [path.name for path in log.path.parent.iterdir()] == ["log"]
