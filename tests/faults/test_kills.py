"""kill -9 of the platform's processes at random moments of deploys under load."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path
from statistics import median

import pytest

from system.person import App
from system.rig import Copy, eventually

from . import apps, invariants
from .conftest import ROUNDS, NewApp
from .traffic import Traffic

SEED = 20261122
VICTIMS = (("senryud",), ("agent",), ("senryud", "agent"), ("router",), ("senryud", "router", "agent"))
CANARY = "s3cret-canary-5d1b"
SETTLED_S = 10.0


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
            began, workers = time.monotonic(), _children(platform.pid("router"))
            for victim in victims:
                platform.kill(victim)
            if "router" in victims:
                # The worker answers on for a moment before it sees that its master is dead.
                eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the end of the old HAProxy")  # noqa: B023
                eventually(lambda: app.visit().status == 200, "an answer after the router's death")
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
    print(f"{ROUNDS} deploys, {traffic.summary()}: {lost} while the router was away ({len(unrouted)} times, at most {away:.2f} s)")
    print(f"settled after {median(settled_s):.2f} s (median), {max(settled_s):.2f} s (most)")
    assert not bad, traffic.told(bad)
    assert "after all" in app.visit().text and "Released v" in final


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
