"""The S3 server's administration is a program that has only so long, also when nobody waits for it any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from senryu.agent import object_shell, objects
from senryu.core.errors import Unavailable


def test_one_that_does_not_answer_is_ended_and_said_to_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_shell, "_TIMEOUT_S", 0.2)
    with pytest.raises(Unavailable, match="does not answer"):
        object_shell.run(("/usr/bin/sleep", "61"), [])
    assert object_shell.run(("/usr/bin/cat",), ["s3.bucket.list"]) == "s3.bucket.list\n"


def test_one_whose_agent_was_killed_does_nothing_later(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/new\nmv {tmp_path}/new {tmp_path}/pid\nexec sleep 61\n")
    slow.chmod(0o755)
    asking = f"from senryu.agent import object_shell; object_shell._TIMEOUT_S = 1.0; object_shell.run(({str(slow)!r},), [])"
    with subprocess.Popen([sys.executable, "-c", asking]) as agent:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(agent.pid, signal.SIGKILL)
    shell = int((tmp_path / "pid").read_text())
    while _lives(shell):
        assert time.monotonic() < deadline, f"process {shell} goes on"
        time.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: chroot")
def test_a_server_that_is_ended_takes_what_was_being_asked_of_it_along(tmp_path: Path) -> None:
    asking = "import os, sys, time; os.chroot(sys.argv[1]); print(flush=True); time.sleep(61)"
    with subprocess.Popen([sys.executable, "-c", asking, str(tmp_path)], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None and shell.stdout.readline()
        objects.stop(tmp_path)  # the server itself has gone, as after a crash
        assert shell.wait(20) == -signal.SIGKILL


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
