"""Not one request is lost over deploys, config changes, scaling, restarts and a rollback, whatever the app's manners."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from system.person import App
from system.rig import Copy, eventually

from . import apps, invariants
from .conftest import NewApp
from .traffic import Traffic


@pytest.mark.parametrize("manners", ["polite", "deaf", "rude"])
@pytest.mark.parametrize("rounds", [pytest.param(1, id="short"), pytest.param(20, id="drill", marks=pytest.mark.drill)])
def test_no_request_is_lost(platform: Copy, make_app: NewApp, manners: str, rounds: int) -> None:
    app = make_app(manners)
    with Traffic(platform, app.name) as traffic:
        for number in range(rounds):
            app.deploy(apps.files(manners, f"deploy {number}"))
            _await(app, f"deploy {number}")
            app.senryu("config:set", f"COLOUR=c{number}x")
            if number % 4 == 0:
                _change_everything(app)
        app.senryu("rollback")
        eventually(lambda: f"c{rounds - 1}x" not in app.visit().text, "the version before")
    bad, codes = traffic.bad(), Counter(re.findall(r"code=(H\d+)", app.log()))
    print(f"{manners}: {len(traffic.visits)} requests, {len(bad)} lost, over {rounds} deploys and config changes")
    assert not bad, f"{traffic.told(bad)}; the router's codes: {dict(codes)}"
    assert len(traffic.visits) > 100
    invariants.check(platform, within_s=90)


def _await(app: App, mark: str) -> None:
    eventually(lambda: mark in app.visit().text, mark)


def _change_everything(app: App) -> None:
    app.senryu("ps:scale", "web=3")
    eventually(lambda: [app.states().get(f"web.{n}") for n in (1, 2, 3)] == ["up"] * 3, "three web dynos")
    app.senryu("ps:restart")
    app.senryu("ps:scale", "web=1")
    app.senryu("ps:restart", "web.1")
