"""Many changes of one app at once: every one is in the history, in some order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from system.person import App, Done
from system.rig import Copy

from . import apps, invariants
from .conftest import NewApp

CHANGES = 50


def test_no_update_is_lost_among_fifty_at_once(platform: Copy, make_app: NewApp) -> None:
    app = make_app("polite")
    app.deploy(apps.files("polite", "second"))
    before = app.releases()[0]["version"]
    sets = [_running(app, "config:set", f"VAR_{number}={number}") for number in range(CHANGES - 10)]
    scales = [_running(app, "ps:scale", f"worker={count}") for count in (1, 2, 1, 2)]
    rollbacks = [_running(app, "rollback", f"v{before}")] * 5
    app.commit(apps.files("polite", "third"))
    done = _at_once([*sets[:20], *scales, *rollbacks, lambda: app.push(check=False), *sets[20:]])
    assert [answer.stderr for answer in done if answer.returncode != 0] == []
    releases: list[dict[str, object]] = json.loads(app.senryu("releases", "--json", "-n", "200").stdout)
    versions = sorted((int(str(release["version"])) for release in releases), reverse=True)
    assert versions == list(range(versions[0], 0, -1))
    assert versions[0] == before + len(sets) + len(rollbacks) + 1
    invariants.check(platform, within_s=120)
    _is_a_serial_order(app, releases, before)


def _running(app: App, *words: str) -> Callable[[], Done]:
    return lambda: app.senryu(*words, check=False)


def _at_once(changes: list[Callable[[], Done]]) -> list[Done]:
    """Eight at a time are really under way: a client is a Python process, and this machine is small."""
    done: list[Done] = []
    gate = threading.Semaphore(8)

    def go(change: Callable[[], Done]) -> None:
        with gate:
            done.append(change())

    threads = [threading.Thread(target=go, args=(change,)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert len(done) == len(changes)
    return done


def _is_a_serial_order(app: App, releases: list[dict[str, object]], before: int) -> None:
    """Walking the history, each release is the one before with its own change applied; what runs is the last of them."""
    config = _config(app, before)
    base, slugs = dict(config), {int(str(each["version"])): _slug(each) for each in releases}
    for release in sorted(releases, key=lambda each: int(str(each["version"]))):
        version, what = int(str(release["version"])), str(release["description"])
        if version <= before:
            continue
        if what.startswith("Set VAR_"):
            name = what.split()[1]
            config[name] = name.removeprefix("VAR_")
            assert slugs[version] == slugs[version - 1]
        elif what.startswith("Rollback"):
            config = dict(base)
            assert slugs[version] == slugs[before]
        else:
            assert what.startswith("Deploy")
            assert slugs[version] not in {slugs[earlier] for earlier in slugs if earlier < version}
        assert _config(app, version) == config, f"v{version} {what}"
    assert json.loads(app.senryu("config", "--json").stdout) == config
    mark = "third" if slugs[max(slugs)] != slugs[before] else "second"
    assert mark in app.visit().text
    workers = [name for name in app.states() if name.startswith("worker.")]
    assert workers in (["worker.1"], ["worker.1", "worker.2"])


def _slug(release: dict[str, object]) -> str:
    slug = release["slug"]
    return str(slug["id"]) if isinstance(slug, dict) else ""


def _config(app: App, version: int) -> dict[str, str]:
    shown = app.senryu("releases:info", f"v{version}", "--shell").stdout
    return dict(line.split("=", 1) for line in shown.splitlines())
