"""senryud's own wall clock is set by a day and back, by libfaketime (Debian's `faketime`), while it runs and while it does not.

The monotonic clock goes on as ever, as it does when a machine's clock is set. Source: reliability catalogue, group K; decisions/0090.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from .person import App, Person, new_app
from .rig import Copy, eventually
from .test_recovery import dyno_ids

DAY_S = 24 * 3600
CRASHING = {"Procfile": "web: python3 app.py\nworker: sleep 1; exit 3\n"}


class Wrong:
    """A senryud whose clock can be set."""

    def __init__(self, platform: Copy) -> None:
        self.platform = platform
        self.offset = platform.home / "offset"

    def set(self, by_s: int) -> None:
        """The clock shows `by_s` more than it is, from now on."""
        fresh = self.offset.with_suffix(".new")
        fresh.write_text(f"{by_s:+d}\n")
        fresh.chmod(0o644)
        os.replace(fresh, self.offset)

    def noticed(self, times: int) -> None:
        """Waits until senryud has said so many times in all that it saw a jump."""
        eventually(lambda: self.said() >= times, f"{times} jumps to be seen")

    def said(self) -> int:
        """How many jumps senryud told of."""
        return sum(path.read_text().count("the clock was set") for path in self._words())

    def _words(self) -> list[Path]:
        folder = self.platform.home / "services/senryud/log/main"
        return [path for path in folder.iterdir() if path.name == "current" or path.suffix == ".s"]


@pytest.fixture(scope="module")
def wrong(platform: Copy) -> Iterator[Wrong]:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    clock = Wrong(platform)
    clock.set(0)
    faked = f"LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={clock.offset} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
    script = platform.home / "services/senryud/run"
    as_installed = script.read_text()
    script.write_text(re.sub(r"setpriv (.*?--init-groups)", rf"setpriv \1 env {faked}", as_installed))
    try:
        platform.kill("senryud")
        platform.await_health()
        yield clock
    finally:
        script.write_text(as_installed)
        platform.kill("senryud")
        platform.await_health()


@pytest.fixture(scope="module")
def two(operator: Person, wrong: Wrong) -> Iterator[App]:
    with new_app(operator) as made:
        made.commit(CRASHING)
        made.push()
        made.senryu("ps:scale", "web=2", "worker=1")
        eventually(lambda: {"web.1": "up", "web.2": "up"}.items() <= made.states().items(), "two web dynos")
        made.logged("]: Process exited with status 3")
        yield made


def begun_at(app: App) -> datetime:
    """When web.1 began, as the platform says."""
    return datetime.fromisoformat(str(app.dynos()["web.1"]["created_at"]))


def starts(app: App) -> int:
    return app.log("-n", "1500", "-d", "worker.1").count("Starting process")


def test_a_clock_set_forward_or_back_restarts_nothing_and_crashed_dynos_are_not_forgotten(two: App, wrong: Wrong) -> None:
    before = {name: id for name, id in dyno_ids(two).items() if name.startswith("web")}
    for by_s in (DAY_S, -DAY_S, 0):
        jumps, begun = wrong.said(), starts(two)
        wrong.set(by_s)
        wrong.noticed(jumps + 1)
        assert begun <= starts(two) <= begun + 1  # the one whose wait was over, not one more
        assert two.visit().status == 200
    eventually(lambda: starts(two) > begun, "the crashed dyno's turn", within_s=100)
    assert {name: id for name, id in dyno_ids(two).items() if name.startswith("web")} == before
    assert "Cycling" not in two.log()


def test_a_clock_set_while_senryud_is_down_restarts_nothing(two: App, wrong: Wrong, platform: Copy) -> None:
    before = {name: id for name, id in dyno_ids(two).items() if name.startswith("web")}
    was_begun_at = begun_at(two)
    platform.sv("-w", "20", "force-stop", "senryud")
    wrong.set(30 * DAY_S)
    platform.sv("start", "senryud")
    platform.await_health()
    eventually(lambda: abs(begun_at(two) - was_begun_at - timedelta(days=30)) < timedelta(seconds=2), "the moments to move along")
    wrong.set(0)
    eventually(lambda: abs(begun_at(two) - was_begun_at) < timedelta(seconds=2), "the moments to move back")
    assert two.visit().status == 200
    assert {name: id for name, id in dyno_ids(two).items() if name.startswith("web")} == before
