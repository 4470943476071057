"""kill -9 of every part at random moments of deploys, under load."""

from __future__ import annotations

import random
import subprocess
import time

import pytest

from system.person import App
from system.rig import Copy, eventually

from . import apps, invariants
from .conftest import NewApp
from .traffic import Traffic

SEED = 20261122
VICTIMS = (("senryud",), ("agent",), ("senryud", "agent"), ("router",), ("senryud", "router", "agent"))
CANARY = "s3cret-canary-5d1b"


@pytest.mark.parametrize("rounds", [pytest.param(3, id="short"), pytest.param(25, id="drill", marks=pytest.mark.drill)])
def test_apps_answer_through_kills_and_everything_is_put_right(platform: Copy, make_app: NewApp, rounds: int) -> None:
    app = make_app("polite")
    app.senryu("config:set", f"CANARY={CANARY}")
    chance = random.Random(SEED)
    unrouted: list[tuple[float, float]] = []
    settled_s: list[float] = []
    with Traffic(platform, app.name) as traffic:
        for number in range(rounds):
            victims = VICTIMS[number % len(VICTIMS)]
            app.commit(apps.files("polite", f"round {number}"))
            push = app.pushing()
            time.sleep(chance.uniform(0.0, 1.3))
            began = time.monotonic()
            for victim in victims:
                platform.kill(victim)
            platform.await_health()
            back = time.monotonic()
            if "router" in victims:
                eventually(lambda: app.visit().status == 200, "an answer after the router's death")
                unrouted.append((began - 0.05, time.monotonic() + 0.05))
            _end(push)
            settled_s.append(invariants.check(platform, canary=CANARY))
            print(f"round {number}: killed {'+'.join(victims)}, back after {back - began:.2f} s, settled {settled_s[-1]:.2f} s later")
        final = _deployed_again(app)
    bad = traffic.bad(outside=unrouted)
    lost = len(traffic.bad()) - len(bad)
    print(f"{len(traffic.visits)} requests; {lost} lost while the router was dead in {len(unrouted)} kills; {len(bad)} lost otherwise")
    assert not bad, traffic.told(bad)
    assert "after all" in app.visit().text and "Released v" in final
    assert max(settled_s) < 60


def _end(push: subprocess.Popen[str]) -> None:
    """A push comes to an end, good or bad, whatever was killed."""
    push.communicate(timeout=120)


def _deployed_again(app: App) -> str:
    """A fresh deploy after it all succeeds and answers."""
    said = app.deploy(apps.files("polite", "after all"))
    eventually(lambda: "after all" in app.visit().text, "the last version")
    return said
