"""kill -9 of senryud and the agent while an app is renamed, given domains and certificates, and destroyed: done or undone, and whole.

Where each step of them is reached is in tests/stories/test_changes_in_crashes.py. Source: the catalogue of faults, A2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from routers.certificate import certificate
from system.person import App
from system.rig import Copy

from . import invariants
from .conftest import ROUNDS, NewApp
from .interrupted import killed_during

VICTIMS = (("senryud",), ("agent",), ("senryud", "agent"))
_DURING_S = 0.7


def _listed(app: App, command: str) -> list[dict[str, Any]]:
    """Its certificates, or its domains without the platform's own."""
    found: list[dict[str, Any]] = json.loads(app.senryu(command, "--json").stdout)
    return [each for each in found if each.get("kind") != "heroku"]


def _changed(app: App, victims: tuple[str, ...], is_done: Callable[[], bool], *words: str) -> None:
    """Kills during a change; whatever came of it, the platform comes to rest, and the change is done when asked for again."""
    is_told = killed_during(app, victims, *words, within_s=_DURING_S)
    invariants.check(app.copy)
    assert is_done() or not is_told, f"{words} was told to be done before the death of {victims}"
    if not is_done():
        app.senryu(*words)
        invariants.check(app.copy)
        assert is_done()


def test_domains_certificates_and_names_are_whole_whenever_the_platform_dies_while_they_change(make_app: NewApp, tmp_path: Path) -> None:
    app = make_app()
    for number in range(max(2, ROUNDS // 10)):
        victims, hostname = VICTIMS[number % len(VICTIMS)], f"www{number}.{app.name}.example.org"
        made = certificate(hostname)
        chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
        chain.write_text(made.chain)
        key.write_text(made.key)

        def has(command: str, count: int) -> Callable[[], bool]:
            return lambda: len(_listed(app, command)) == count

        _changed(app, victims, has("domains", 1), "domains:add", hostname)
        assert app.copy.visit(hostname).status == 200
        _changed(app, victims, has("certs", 1), "certs:add", str(chain), str(key))
        _changed(app, victims, has("certs", 0), "certs:remove", "--confirm", app.name)
        _changed(app, victims, has("domains", 0), "domains:remove", hostname)
        _renamed(app, victims, f"{app.name.rpartition('--')[0] or app.name}--{number}")


def _renamed(app: App, victims: tuple[str, ...], name: str) -> None:
    before = app.name
    is_told = killed_during(app, victims, "apps:rename", name, within_s=_DURING_S)
    invariants.check(app.copy)
    there = {each["name"] for each in json.loads(app.owner.senryu("apps", "--json").stdout)}
    assert len(there & {before, name}) == 1
    assert name in there or not is_told
    if name not in there:
        app.owner.senryu("apps:rename", name, "-a", before)
    app.name = name
    invariants.check(app.copy)
    assert app.visit().status == 200


def test_an_app_is_gone_with_all_that_was_its_own_or_whole_whenever_the_platform_dies_while_it_is_destroyed(
    platform: Copy, make_app: NewApp
) -> None:
    for number in range(max(3, ROUNDS * 3 // 20)):
        app = make_app()
        is_told = killed_during(app, VICTIMS[number % len(VICTIMS)], "apps:destroy", "--confirm", app.name, within_s=_DURING_S)
        invariants.check(platform)
        is_there = app.name in {each["name"] for each in json.loads(app.owner.senryu("apps", "--json").stdout)}
        assert not (is_there and is_told)
        if is_there:
            assert app.visit().status == 200
            app.owner.senryu("apps:destroy", "-a", app.name, "--confirm", app.name)
            invariants.check(platform)
