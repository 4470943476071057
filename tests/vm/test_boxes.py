"""What a dyno can neither reach nor use up, with the kernel's unified control groups (v2) and under systemd.

The tests are those of a machine with version 1, run on the virtual machine itself: the escape app with its list, the hostile app and its
neighbour against the installed platform; the limits of a dyno against agents of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine
from .root import given_tests

_SLOWNESS = 5
_PATIENCE_S = 5400
_PYTEST = ".venv/bin/python -m pytest -q -s --tb=short -p no:cacheprovider -W ignore --timeout 2400"


@pytest.fixture(scope="module")
def machine(root: Path) -> Iterator[Machine]:
    """One with the tests on its disk."""
    with Machine(processors=2) as made:
        given_tests(root)
        made.take_disk(root)
        made.start()
        yield made


@pytest.mark.timeout(_PATIENCE_S + 900)
@pytest.mark.parametrize(
    "tests",
    [
        "tests/system/test_escape.py tests/system/test_hostile_app.py",  # in one session: they share the first account
        "tests/agent/test_cgroup.py tests/engines/test_limits.py tests/engines/test_isolation.py tests/engines/test_recovery.py",
    ],
)
def test_a_box_holds_on_unified_control_groups_as_it_does_on_the_old_ones(machine: Machine, tests: str) -> None:
    assert "cgroup2fs" in machine.shell("stat -fc %T /sys/fs/cgroup")
    environment = f"HOME=/root PYTHONPATH=/srv/senryu/src SENRYU_TEST_SLOWNESS={_SLOWNESS} {machine.installed()}"
    said = machine.shell(f"cd /srv/senryu && {environment} {_PYTEST} {tests} </dev/null; echo STATUS=$?", _PATIENCE_S)
    print(said, flush=True)
    assert re.search(r"^STATUS=0", said, re.MULTILINE), said[-6000:]
    assert " skipped" not in said
