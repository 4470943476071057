"""The machine goes down and comes back with nothing but SENRYU_HOME."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from system.person import App
from system.rig import SERVICES, Copy, eventually
from system.traces import lot_of

from . import invariants
from .conftest import NewApp


def test_all_apps_come_back_after_a_reboot(platform: Copy, make_app: NewApp) -> None:
    some = [make_app(manners) for manners in ("polite", "deaf", "rude")]
    some[0].senryu("ps:scale", "web=2", "worker=1")
    some[1].senryu("config:set", "COLOUR=blue")
    for app in some:
        _await_all_up(app)
    invariants.check(platform, within_s=90)
    _die_at_once(platform)
    platform.cleanup()
    eventually(lambda: not platform.traces(), "an empty machine")
    platform.start()
    began = time.monotonic()
    for app in some:
        _await_answer(app)
    print(f"three apps answer {time.monotonic() - began:.2f} s after the platform does")
    invariants.check(platform, within_s=90)
    assert "blue" in some[1].visit().text
    assert sorted(some[0].states()) == ["web.1", "web.2", "worker.1"]


def _await_all_up(app: App) -> None:
    eventually(lambda: set(app.states().values()) == {"up"}, "all dynos up")


def _await_answer(app: App) -> None:
    eventually(lambda: app.visit().status == 200, f"{app.name} after the reboot")


def _die_at_once(platform: Copy) -> None:
    """SIGKILL to everything of the copy, as a power cut ends it."""
    runsvdir = platform._runsvdir
    assert runsvdir is not None
    os.kill(runsvdir.pid, signal.SIGKILL)
    runsvdir.wait(20)
    platform._runsvdir = None
    lot = lot_of(platform.home)
    deadline = time.monotonic() + 30
    while (left := _processes(platform.home, lot)) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)
    assert not left
    for service in SERVICES:
        for name in ("supervise", "log/supervise"):
            (platform.home / "services" / service / name / "pid").unlink(missing_ok=True)


def _processes(home: Path, lot: int | None) -> list[int]:
    """Every process of a copy: services, supervisors, shims and dynos."""
    assert lot is not None
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            uid, place = process.stat().st_uid, os.readlink(process / "cwd")
        except OSError:
            continue
        is_dynos = 2_000_000 + lot * 10_000 <= uid < 2_000_000 + (lot + 1) * 10_000
        if is_dynos or f"{home}/".encode() in words or place.startswith(f"{home}/"):
            found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]
