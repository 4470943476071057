"""kill -9 of the platform's processes at random moments of deploys under load."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from statistics import median

import pytest

from system.person import App
from system.rig import Copy, eventually
from system.traces import lot_of

from . import apps, invariants
from .conftest import ROUNDS, NewApp
from .traffic import Traffic

SEED = 20261122
VICTIMS = (
    ("senryud",), ("agent",), ("senryud", "agent"), ("HAProxy",), ("router",), ("senryud", "HAProxy", "agent"),
    ("senryud", "router", "agent"), ("router", "HAProxy"),
)  # fmt: skip
CANARY = "s3cret-canary-5d1b"
SETTLED_S = 10.0
AWAY_S = 15.0  # senryud's own calls to the agent give up before


@pytest.mark.timeout(60 + 60 * ROUNDS)
def test_apps_answer_through_kills_and_everything_is_put_right(platform: Copy, make_app: NewApp) -> None:
    app = make_app("polite")
    app.senryu("config:set", f"CANARY={CANARY}")
    chance = random.Random(SEED)
    unrouted: list[tuple[float, float]] = []
    back_s: list[float] = []
    settled_s: list[float] = []
    with Traffic(app) as traffic:
        for number in range(ROUNDS):
            app.commit(apps.files("polite", f"round {number}"))
            push = app.pushing()
            time.sleep(chance.uniform(0.0, 2.0))
            victims = VICTIMS[number % len(VICTIMS)]
            began = time.monotonic()
            for victim in victims:
                platform.kill_haproxy() if victim == "HAProxy" else platform.kill(victim)
            if "HAProxy" in victims:  # while only its starter is dead, nobody is refused
                eventually(lambda: app.visit().status == 200, "an answer after HAProxy's death")
                unrouted.append((began, time.monotonic()))
            platform.await_health()
            back_s.append(time.monotonic() - began)
            _end(push)
            settled_s.append(invariants.check(platform, canary=CANARY, within_s=_patience_s()))
            print(f"round {number}: killed {'+'.join(victims)}, back after {back_s[-1]:.2f} s, settled {settled_s[-1]:.2f} s later")
        final = _deployed_again(app)
    bad = traffic.bad(outside=unrouted)
    lost = len(traffic.bad()) - len(bad)
    away = max((end - began for began, end in unrouted), default=0.0)
    print(f"{ROUNDS} deploys, {traffic.summary()}: {lost} while HAProxy was away ({len(unrouted)} times, at most {away:.2f} s)")
    print(f"settled after {median(settled_s):.2f} s (median), {max(settled_s):.2f} s (most)")
    assert not bad, traffic.told(bad)
    assert "after all" in app.visit().text and "Released v" in final


@pytest.mark.parametrize("is_frozen", [False, True], ids=["gone", "frozen"])
def test_apps_answer_while_nobody_is_there_for_long_and_nothing_is_restarted_needlessly(
    platform: Copy, make_app: NewApp, is_frozen: bool
) -> None:
    """Catalogue A8, A9: both are away, a dyno crashes meanwhile, and those that run are found again."""
    app = make_app("polite")
    app.senryu("ps:scale", "web=2", "worker=1")
    eventually(lambda: app.states() == {"web.1": "up", "web.2": "up", "worker.1": "up"}, "all dynos up")
    before = app.dynos()
    with Traffic(app) as traffic:
        for service in ("senryud", "agent"):
            platform.sv(*(("pause",) if is_frozen else ("-w", "20", "force-stop")), service)
        for pid in _processes_of(platform, str(before["worker.1"]["id"])):
            os.kill(pid, signal.SIGKILL)
        time.sleep(AWAY_S)
        for service in ("agent", "senryud"):
            platform.sv("cont" if is_frozen else "up", service)
        platform.await_health()
        back = invariants.check(platform, within_s=_patience_s())
    print(f"{traffic.summary()}; away for {AWAY_S:.0f} s, settled {back:.2f} s after their return")
    assert not traffic.bad(), traffic.told(traffic.bad())
    after = app.dynos()
    assert {name: dyno["id"] for name, dyno in after.items() if dyno["type"] == "web"} == {n: before[n]["id"] for n in ("web.1", "web.2")}
    assert after["worker.1"]["id"] != before["worker.1"]["id"]
    app.logged("heroku[worker.1]: Process exited with status 137", "-n", "1500", "-d", "worker.1")


def _processes_of(platform: Copy, dyno_id: str) -> list[int]:
    groups = Path("/sys/fs/cgroup").glob(f"**/senryu-{lot_of(platform.home)}/{dyno_id}/cgroup.procs")
    found = {int(pid) for group in groups for pid in group.read_text().split()}
    assert found
    return sorted(found)


def _patience_s() -> float:
    """The promise is for a machine that has time: one with more to do than processors is given as much longer."""
    return SETTLED_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _end(push: subprocess.Popen[str]) -> None:
    """A push comes to an end, good or bad, whatever was killed."""
    push.communicate(timeout=120)


def _deployed_again(app: App) -> str:
    """A fresh deploy after it all succeeds and answers."""
    said = app.deploy(apps.files("polite", "after all"))
    eventually(lambda: "after all" in app.visit().text, "the last version")
    return said
