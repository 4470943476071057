"""Control groups, made and taken away for real."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from uuid import uuid4

import pytest

from senryu.agent import cgroup

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: control groups")]


@pytest.fixture
def group() -> Iterator[str]:
    """A path for one, gone afterwards."""
    path = f"/senryu-test-{uuid4().hex[:12]}"
    yield path
    for top in _made(path):
        with contextlib.suppress(OSError):
            (top / "store").rmdir()
            top.rmdir()


def _made(path: str) -> list[Path]:
    top = Path("/sys/fs/cgroup")
    return [place for place in (Path(f"{top}{path}"), *(Path(f"{each}{path}") for each in top.iterdir())) if place.is_dir()]


def test_a_group_is_removed_from_all_hierarchies_once_its_last_process_has_ended(group: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as last:
        Timer(0.3, last.kill).start()
        cgroup.confine(f"{group}/store", last.pid, memory_bytes=1 << 26, cpu_shares=100, pids=10)
        assert _made(group)
        cgroup.remove_group(group)
        assert _made(group) == []


def test_while_moves_are_to_come_this_process_is_moved_to_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = Path("/proc/self/cgroup").read_text()
    with cgroup.ready_to_move():
        assert Path("/proc/self/cgroup").read_text() == before
    for thread in threading.enumerate():  # what is still on its way would write to the place that is taken below
        if thread.name == "cgroup:stay":
            thread.join(30)
    [path] = [line.removeprefix("0::") for line in before.splitlines() if line.startswith("0::")]
    group = Path(f"{tmp_path}/unified{path}")
    group.mkdir(parents=True)
    (group / "cgroup.procs").touch()
    monkeypatch.setattr(cgroup, "_ROOT", tmp_path)
    with cgroup.ready_to_move():
        until = time.monotonic() + 30
        while not (group / "cgroup.procs").read_text().startswith("00"):
            assert time.monotonic() < until
            time.sleep(0.01)
    assert Path("/proc/self/cgroup").read_text() == before


def test_a_machine_without_groups_that_can_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cgroup, "_ROOT", tmp_path)
    with cgroup.ready_to_move():
        pass
