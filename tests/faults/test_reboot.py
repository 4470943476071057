"""The machine goes down and comes back with nothing but SENRYU_HOME."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from buckets import client, names_of_objects
from system.person import App, Done
from system.rig import SERVICES, Copy, eventually
from system.traces import lot_of

from . import invariants
from .conftest import NewApp

_PSQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), Path("/usr/bin/psql"))
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not Path("/usr/bin/redis-cli").exists(), reason="Redis is not installed (Debian package redis-tools)"),
]


def test_all_apps_come_back_after_a_reboot_and_their_data_is_there(platform: Copy, make_app: NewApp) -> None:
    some = [make_app(manners) for manners in ("polite", "deaf", "rude")]
    some[0].senryu("ps:scale", "web=2", "worker=1")
    some[1].senryu("config:set", "COLOUR=blue")
    data = _Data(some[2])
    data.await_answers()
    for app in some:
        _await_all_up(app)
    invariants.check(platform, within_s=90)
    servers = _data_servers(platform)
    assert len(servers) == 3
    _die_at_once(platform)
    assert not [name for name, pid in servers.items() if _lives(pid)]
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
    data.await_answers()
    print(f"so do its database, store and bucket after {time.monotonic() - began:.2f} s at most")


class _Data:
    """A database, a store and a bucket of an app, each with something in it; asked by its web dyno."""

    def __init__(self, app: App) -> None:
        self.app = app
        for service in ("heroku-postgresql", "heroku-redis:premium-0", "senryu-objects"):
            app.senryu("addons:create", service)
        config = json.loads(app.senryu("config", "--json").stdout)
        self.database, self.store = config["DATABASE_URL"], config["REDIS_URL"].replace("://:", "://default:")
        app.senryu("pg:psql", "-c", "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite of rows')")
        app.senryu("redis:cli", stdin="SET picture 'kite of keys'\n")
        with names_of_objects():
            s3 = client({key.removeprefix("AWS_"): value for key, value in config.items()})
            s3.put_object(Bucket=config["AWS_S3_BUCKET"], Key="picture", Body=b"kite of objects")
            self.picture = s3.generate_presigned_url("get_object", Params={"Bucket": config["AWS_S3_BUCKET"], "Key": "picture"})

    def await_answers(self) -> None:
        """Until each says what was acknowledged."""
        wanted = ["kite of rows", "kite of keys", "kite of objects"]
        deadline = time.monotonic() + 60
        while (said := self._asked()).stdout.splitlines() != wanted:
            assert time.monotonic() < deadline, f"{said.stdout}{said.stderr}\n{self.app.copy.own_log()}"
            time.sleep(0.5)

    def _asked(self) -> Done:
        asking = (
            f"{_PSQL} '{self.database}' -Atc 'SELECT name FROM pictures'",
            f"timeout 8 redis-cli --tls --insecure -u '{self.store}' --no-auth-warning GET picture",
            # Not by curl, to which all that ends with localhost is itself.
            f"python3 -c 'import sys, urllib.request as w; print(w.urlopen(sys.argv[1], None, 8).read().decode())' '{self.picture}'",
        )
        return self.app.senryu("ps:exec", "--dyno", "web.1", "--", "sh", "-c", "; ".join(asking), check=False)


def _data_servers(platform: Copy) -> dict[str, int]:
    """Their processes now."""
    data = platform.home / "data"
    [store] = (platform.home / "agent/data").glob("redis-*.process")
    return {
        "PostgreSQL": int((data / "postgres/cluster/postmaster.pid").read_text().splitlines()[0]),
        "Redis": int(store.read_text().split()[0]),
        "SeaweedFS": int((data / "objects/pid").read_text()),
    }


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


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
