"""Full disks: clear errors, running apps untouched, and everything works again when there is space."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from system.person import App, new_app, registered
from system.rig import Copy, eventually

from . import apps, invariants
from .small_disks import MIB, SmallDisk, copy_on_small_disks
from .traffic import Traffic

PARTS = {"db": 32, "repos": 96, "blobs": 160, "builds": 64, "cache": 32, "logs": 24, "streams": 8, "router": 16, "agent": 400}
TICKING = {"Procfile": "web: (while sleep 0.5; do echo tick; done) & exec python3 app.py\n"}
Disks = dict[str, SmallDisk]
Lack = Callable[[SmallDisk], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Copy, Disks]]:
    """A platform each part of which has a disk of its own."""
    with copy_on_small_disks(PARTS) as made:
        yield made


@pytest.fixture(scope="module")
def app(parts: tuple[Copy, Disks], tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app that serves, and says something all the time."""
    person = registered(parts[0], tmp_path_factory.mktemp("operator") / "home")
    with new_app(person, {**apps.files("polite"), **TICKING}) as made:
        made.push()
        yield made


@pytest.fixture(autouse=True)
def untouched(app: App) -> Iterator[None]:
    """Whatever is full: visitors notice nothing, and at the end all is as it should be without anybody's repair."""
    with Traffic(app, per_s=50) as traffic:
        yield
    assert not traffic.bad(), traffic.told(traffic.bad())
    assert len(traffic.visits) > 20
    invariants.check(app.copy, within_s=90)


@pytest.fixture
def disks(parts: tuple[Copy, Disks]) -> Disks:
    """The disks by part."""
    return parts[1]


def changed(app: App, mark: str) -> None:
    """A commit that can be told from others."""
    app.commit({**apps.files("polite", mark), **TICKING})


def large(app: App, size_mib: int) -> None:
    """A file that does not shrink."""
    (app.folder / "large.bin").write_bytes(os.urandom(size_mib * MIB))


def deploys(app: App, mark: str) -> None:
    """Pushes what is committed; it must come to serve."""
    assert "Released v" in app.push().stderr
    eventually(lambda: mark in app.visit().text, mark)


def test_a_full_database_refuses_changes_and_answers_reads(app: App, disks: Disks) -> None:
    changed(app, "after db")
    with disks["db"].full():
        refused = app.senryu("config:set", "COLOUR=red", check=False)
        assert refused.returncode != 0
        assert "The platform's disk is full, so nothing can be changed" in refused.stderr
        pushed = app.push(check=False)
        assert pushed.returncode != 0
        assert "disk is full" in pushed.stderr
        assert app.states() == {"web.1": "up"}
        assert "tick" in app.log()
    app.senryu("config:set", "COLOUR=green")
    deploys(app, "after db")


def test_full_repositories_refuse_the_push(app: App, disks: Disks) -> None:
    changed(app, "after repos")
    with disks["repos"].full():
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "The platform's disk is full, so it takes no pushes" in refused.stderr
    large(app, 44)
    changed(app, "too large")
    with disks["repos"].full(leaving_bytes=36 * MIB):
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "No space left on device" in refused.stderr or "unpack failed" in refused.stderr
    app.git("reset", "-q", "--hard", "HEAD~1")
    deploys(app, "after repos")


def test_a_full_store_refuses_pushes_and_uploads(app: App, disks: Disks) -> None:
    changed(app, "after blobs")
    with disks["blobs"].full():
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "could not store what was sent (No space left on device)" in refused.stderr
        uploaded = app.senryu("builds:create", cwd=app.folder, check=False)
        assert uploaded.returncode != 0
        assert "No space left on device" in uploaded.stderr
    deploys(app, "after blobs")


def test_a_store_that_has_room_for_the_source_but_not_for_the_slug(app: App, disks: Disks) -> None:
    large(app, 8)
    changed(app, "after slug")
    with disks["blobs"].full(leaving_bytes=12 * MIB):
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "could not store what was sent (No space left on device)" in refused.stderr
    app.git("rm", "-q", "large.bin")
    changed(app, "after slug")
    deploys(app, "after slug")


def test_a_build_without_space_fails_with_the_reason(app: App, disks: Disks) -> None:
    large(app, 8)
    changed(app, "after builds")
    with disks["builds"].full():
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "The build could not be prepared (No space left on device)" in refused.stderr
    with disks["builds"].full(leaving_bytes=11 * MIB):
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "The platform's disk filled up during the build" in refused.stderr
    app.git("rm", "-q", "large.bin")
    changed(app, "after builds")
    deploys(app, "after builds")


def test_a_full_cache_fails_a_build_that_keeps_something_and_no_other(app: App, disks: Disks) -> None:
    keeping = {"bin/post_compile": "#!/bin/sh\nhead -c 9000000 /dev/zero >/cache/x\n"}
    changed(app, "after cache")
    with disks["cache"].full():
        deploys(app, "after cache")
        with new_app(app.owner, {**apps.files("polite"), **keeping}) as another:
            refused = another.push(check=False)
            assert refused.returncode != 0
            assert "No space left on device" in refused.stderr or "disk filled up" in refused.stderr, refused.stderr
    with new_app(app.owner, apps.files("polite")) as another:
        assert "Released v2" in another.push().stderr


def test_full_logs_stop_nothing_and_what_dynos_say_comes_later(app: App, disks: Disks) -> None:
    changed(app, "after logs")
    with disks["logs"].full():
        deploys(app, "after logs")
        app.senryu("config:set", "COLOUR=blue")
        eventually(lambda: "blue" in app.visit().text, "the new config")
        app.senryu("run:detached", "echo said while the logs were full")
        eventually(lambda: all(not name.startswith("run") for name in app.states()), "the end of the one-off")
    app.logged("said while the logs were full", "--source", "app")


def test_output_that_cannot_be_kept_stops_no_push(app: App, disks: Disks) -> None:
    changed(app, "after streams")
    with disks["streams"].full():
        deploys(app, "after streams")
        assert "Released v" in app.senryu("builds:create", cwd=app.folder).stdout
    assert "Python app detected" in app.senryu("builds:create", cwd=app.folder).stdout


def test_a_router_that_cannot_write_routes_on_and_saves_later(app: App, disks: Disks) -> None:
    changed(app, "after router")
    with disks["router"].full():
        deploys(app, "after router")
    [dyno] = app.dynos().values()
    eventually(lambda: dyno["id"] in (app.copy.home / "router/haproxy.cfg").read_text(), "the saved route")


def test_an_agent_without_space_leaves_the_old_release_and_starts_the_new_one_later(app: App, disks: Disks) -> None:
    changed(app, "after agent")
    with disks["agent"].full():
        assert "no: [Errno" in app.visit("/?fill=40").text
        inside = app.senryu("ps:exec", "--dyno", "web.1", "true", check=False)
        assert "(No space left on device); the platform's operator must free disk space" in inside.stdout + inside.stderr
        refused = app.push(check=False)
        assert refused.returncode != 0
        assert "could not be started (No space left on device); the platform's operator must free disk space" in refused.stderr
        app.senryu("config:set", "COLOUR=late")
        app.logged("heroku[supervise]: The dyno could not be started (No space left on device)", "--dyno", "supervise")
        assert "late" not in app.visit().text
    eventually(lambda: "late" in app.visit().text, "the new config")
    deploys(app, "after agent")
    assert "yes" in app.visit("/?fill=40").text


@pytest.mark.parametrize("lack", [SmallDisk.full, SmallDisk.without_files], ids=["of room", "of files"])
def test_a_full_home_hurts_only_what_needs_space_also_when_the_platform_starts_on_it(tmp_path: Path, lack: Lack) -> None:
    with copy_on_small_disks({".": 400}) as (copy, disks):
        person = registered(copy, tmp_path / "home")
        with new_app(person, apps.files("polite")) as app:
            app.push()
            changed(app, "while full")
            with Traffic(app, per_s=50) as traffic:
                with lack(disks["."]):
                    assert "disk is full" in app.push(check=False).stderr
                    if lack is SmallDisk.full:  # the database has all the files it needs
                        assert "disk is full" in app.senryu("config:set", "COLOUR=red", check=False).stderr
                    for service in ("senryud", "agent"):
                        killed(copy, service)
                    copy.await_health()
                    assert app.states() == {"web.1": "up"}
                deploys(app, "while full")
            assert not traffic.bad(), traffic.told(traffic.bad())
            app.senryu("config:set", "COLOUR=green")
            eventually(lambda: "green" in app.visit().text, "the new config")
            invariants.check(copy, within_s=90)


def killed(copy: Copy, service: str) -> None:
    """kill -9. Of what comes after runit cannot write down the process id."""
    pid = copy.pid(service)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists(), f"the end of {service}")
