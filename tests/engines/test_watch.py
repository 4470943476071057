"""Being told that something in a directory changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from senryu.engines.container.watch import DirectoryWatch

_PATIENCE_S = 10


async def test_each_reader_is_told_of_changes_after_it_asked(tmp_path: Path) -> None:
    async with DirectoryWatch() as watch, asyncio.timeout(_PATIENCE_S):
        with watch.changes_in(tmp_path) as first, watch.changes_in(tmp_path) as second:
            for round_number in range(3):
                first.ask()
                second.ask()
                (tmp_path / f"{round_number}").write_text("x")
                await first.wait()
                await second.wait()


async def test_a_thousand_changes_that_nobody_asked_about_are_told_once(tmp_path: Path) -> None:
    async with DirectoryWatch() as watch, asyncio.timeout(_PATIENCE_S):
        with watch.changes_in(tmp_path) as changes:
            log = (tmp_path / "log").open("ab", buffering=0)
            for _ in range(1000):
                log.write(b"line\n")
            await changes.wait()
            changes.is_there.clear()
            log.write(b"line\n")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await changes.wait()
            changes.ask()
            log.write(b"line\n")
            await changes.wait()
            log.close()


async def test_a_directory_that_goes_is_a_change_and_one_that_is_gone_cannot_be_watched(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    async with DirectoryWatch() as watch, asyncio.timeout(_PATIENCE_S):
        with watch.changes_in(there) as changes:
            changes.ask()
            there.rmdir()
            await changes.wait()
            changes.ask()
        with pytest.raises(OSError), watch.changes_in(there):
            pass
