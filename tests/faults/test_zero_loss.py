"""Not one request is lost over deploys, config changes, scaling, restarts and a rollback, whatever the app's manners."""

from __future__ import annotations

import pytest

from system.person import App
from system.rig import Copy, eventually

from . import apps, invariants
from .conftest import ROUNDS, NewApp
from .traffic import Traffic


@pytest.mark.timeout(60 + 30 * ROUNDS)
@pytest.mark.parametrize(("manners", "rounds"), [("polite", ROUNDS), ("deaf", ROUNDS), ("rude", ROUNDS // 4)])
def test_no_request_is_lost(platform: Copy, make_app: NewApp, manners: str, rounds: int) -> None:
    app = make_app(manners)
    with Traffic(app) as traffic:
        for number in range(rounds):
            app.deploy(apps.files(manners, f"deploy {number}"))
            eventually(lambda mark=f"deploy {number}": mark in app.visit().text, "the deploy")  # type: ignore[misc]
            app.senryu("config:set", f"COLOUR=c{number}x")
            _scale_or_restart(app, number)
        app.senryu("rollback")
        eventually(lambda: f"c{rounds - 1}x" not in app.visit().text, "the version before")
    print(f"{manners}: {rounds} deploys and config changes, {traffic.summary()}")
    assert not traffic.bad(), traffic.told(traffic.bad())
    assert len(traffic.visits) > 100
    invariants.check(platform, within_s=90)


def _scale_or_restart(app: App, number: int) -> None:
    """In turn: up to three, a restart of all, down to one, a restart of that one."""
    match number % 4:
        case 0:
            app.senryu("ps:scale", "web=3")
            eventually(lambda: [app.states().get(f"web.{n}") for n in (1, 2, 3)] == ["up"] * 3, "three web dynos")
        case 1:
            app.senryu("ps:restart")
        case 2:
            app.senryu("ps:scale", "web=1")
        case _:
            app.senryu("ps:restart", "web.1")
