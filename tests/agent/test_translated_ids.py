"""User namespaces that translate owners, made by many threads at once, as when many dynos start at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

MANY_AT_ONCE = """
import os
from concurrent.futures import ThreadPoolExecutor
from senryu.agent.mounts import translated_ids
def one(number):
    os.close(translated_ids([(1000, 2000 + number)], [(1000, 2000 + number)]))
with ThreadPoolExecutor(8) as threads:
    list(threads.map(one, range(400)))
print("done")
"""


def test_many_at_once_do_not_wait_for_one_another_for_ever() -> None:
    """Each is made by a child that holds what its brothers wait for."""
    process = subprocess.Popen([sys.executable, "-c", MANY_AT_ONCE], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert said == "done\n"
