"""Throw-away disks, made and mounted for real."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from senryu.agent import mounts
from senryu.agent.disk import Disks
from senryu.core.limits import DYNO_DISK_BYTES, MIB

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")]


def _devices(directory: Path) -> list[str]:
    """The loop devices over files of a directory."""
    files = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            files.append(file.read_text())
        except OSError:
            continue  # it was let go of just now
    return [file for file in files if file.startswith(f"{directory}/")]


def _soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_next_disk_is_mounted_ahead_and_one_dynos_own(tmp_path: Path) -> None:
    images, first, second = tmp_path / "images", tmp_path / "first", tmp_path / "second"
    for directory in (images, first, second):
        directory.mkdir()
    disks = Disks(images)
    try:
        disks.refill()
        assert len(_devices(images)) == 1
        disks.mount(DYNO_DISK_BYTES, first)
        assert len(_devices(images)) == 1
        (first / "said").write_text("mine")
        disks.refill()
        disks.mount(DYNO_DISK_BYTES, second)
        assert {path.name for path in second.iterdir()} == {"lost+found"}
        assert 0.8 < os.statvfs(second).f_blocks * 4096 / DYNO_DISK_BYTES < 1
        [flags] = [line.split()[3] for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[1] == str(second)]
        assert {"rw", "nosuid", "nodev", "noatime", "discard"} <= set(flags.split(","))
        disks.mount(64 * MIB, second)
        assert os.statvfs(second).f_blocks * 4096 < 64 * MIB
    finally:
        disks.close()
        for target in (second, second, first):
            mounts.unmount(target)
    _soon(lambda: not _devices(images))


def test_what_waits_for_a_dyno_ends_with_who_holds_it(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    disks.refill()
    assert len(_devices(tmp_path)) == 1
    disks.close()
    _soon(lambda: not _devices(tmp_path))
