"""The disk of databases, stores and buckets is full: writes fail, reads and apps go on, and nothing needs a repair afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from buckets import client, names_of_objects
from system.person import App, Done, new_app, registered
from system.rig import Copy, eventually

from . import apps, invariants
from .small_disks import SmallDisk, copy_on_small_disks
from .traffic import Traffic

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not Path("/usr/bin/redis-cli").exists(), reason="Redis is not installed (Debian package redis-tools)"),
]
# The S3 server takes nothing below 1 GiB of room, wherever that comes from.
SIZE_MIB = 3_000
LARGE = "INSERT INTO pictures SELECT repeat(md5(n::text), 200) FROM generate_series(1, 20000) n"


@pytest.fixture(params=["data", "."], ids=["their own", "the home's"])
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, SmallDisk]]:
    """An app with one of each, and the disk they are on."""
    with copy_on_small_disks({request.param: SIZE_MIB}) as (copy, disks):
        person = registered(copy, tmp_path_factory.mktemp("operator") / "home")
        with new_app(person, apps.files("polite")) as app:
            app.push()
            for service in ("heroku-postgresql:standard-0", "heroku-redis:premium-0", "senryu-objects"):
                app.senryu("addons:create", service)
            app.senryu("pg:psql", "-c", "CREATE TABLE pictures (name text); INSERT INTO pictures VALUES ('kite of rows')")
            _stored(app, "SET picture 'kite of keys'")
            _put(app, "picture", b"kite of objects")
            yield app, disks[request.param]


def _psql(app: App, statement: str) -> Done:
    return app.senryu("pg:psql", "-c", statement, check=False)


def _stored(app: App, command: str) -> str:
    done = app.senryu("redis:cli", stdin=f"{command}\n", check=False)
    return done.stdout + done.stderr


def _config(app: App) -> dict[str, str]:
    found: dict[str, str] = json.loads(app.senryu("config", "--json").stdout)
    return found


def _put(app: App, key: str, content: bytes) -> None:
    config = _config(app)
    with names_of_objects():
        s3 = client({key.removeprefix("AWS_"): value for key, value in config.items()})
        s3.put_object(Bucket=config["AWS_S3_BUCKET"], Key=key, Body=content)


def _got(app: App, key: str) -> bytes:
    config = _config(app)
    with names_of_objects():
        s3 = client({key.removeprefix("AWS_"): value for key, value in config.items()})
        found: bytes = s3.get_object(Bucket=config["AWS_S3_BUCKET"], Key=key)["Body"].read()
    return found


def _reads(app: App) -> bool:
    """Whether what was acknowledged is there."""
    rows = _psql(app, "SELECT name FROM pictures WHERE name LIKE 'kite%'").stdout
    return "kite of rows" in rows and "kite of keys" in _stored(app, "GET picture") and _got(app, "picture") == b"kite of objects"


def test_full_data_servers_refuse_writes_answer_reads_and_need_no_repair(parts: tuple[App, SmallDisk]) -> None:
    app, disk = parts
    copy: Copy = app.copy
    with Traffic(app, per_s=50) as traffic:
        with disk.full():
            refused = _psql(app, LARGE)
            assert "No space left on device" in refused.stdout + refused.stderr
            eventually(lambda: "NOREPLICAS" in _stored(app, f"SET another {'x' * 9000}"), "a refusal")
            assert "kite of keys" in _stored(app, "GET picture")
            with pytest.raises(ClientError):
                for number in range(8):
                    _put(app, f"large-{number}", bytes(1 << 20))
            assert _reads(app)
            added = app.senryu("addons:create", "heroku-redis:premium-0", check=False)
            assert re.search("No space left on device|disk is full", added.stdout + added.stderr), added
            assert app.visit().status == 200
        eventually(lambda: _psql(app, LARGE).returncode == 0, "writes to the database", within_s=90)
        eventually(lambda: "OK" in _stored(app, "SET another 1"), "writes to the store")
        eventually(lambda: _writes_objects(app), "writes to the bucket", within_s=90)
        assert _reads(app)
        assert "Completed" in app.senryu("pg:backups:capture").stdout
    assert not traffic.bad(), traffic.told(traffic.bad())
    invariants.check(copy, within_s=90)


def _writes_objects(app: App) -> bool:
    try:
        _put(app, "afterwards", b"here")
    except ClientError:
        return False
    return _got(app, "afterwards") == b"here"
