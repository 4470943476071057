"""Programs that are waited for."""

from __future__ import annotations

import subprocess

import pytest

from senryu.agent import ending


def test_the_exit_status_of_a_program_is_that_of_its_end() -> None:
    with subprocess.Popen(["sh", "-c", "read _; exit 7"], stdin=subprocess.PIPE) as asked:
        with pytest.raises(subprocess.TimeoutExpired):
            ending.status(asked, 0.01)
        assert asked.stdin is not None
        asked.stdin.close()
        assert ending.status(asked, 30) == 7
        assert ending.status(asked, 30) == 7


def test_a_program_that_was_killed_has_the_signal_as_its_status() -> None:
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        sleeper.kill()
        assert ending.status(sleeper, 30) == -9
