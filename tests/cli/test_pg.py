"""pg:* against a fake platform, and a wire against a fake terminals' port."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
from pathlib import Path
from typing import cast

import pytest

from senryu.cli.pg_database import _carry

from .conftest import Senryu
from .fake_api import FakeApi

ID = "17f5de26-f5de-465c-85d1-a947b5f16c10"
URL = "postgres://u1:s%2Fcret@10.0.0.1:5432/d1"
RESOLVE = "POST /actions/addon-attachments/resolve"
DATABASE = f"/client/v11/databases/{ID}"
CREDENTIALS = f"/postgres/v0/databases/{ID}/credentials"


def _attachment(name: str = "DATABASE", addon: str = "pictures-db", namespace: str | None = None) -> dict[str, object]:
    plan = {"id": ID, "name": "heroku-postgresql:standard-0"}
    return {
        "id": f"a-{name}",
        "name": name,
        "namespace": namespace,
        "addon": {"id": ID, "name": addon, "plan": plan, "app": {"name": "myapp"}},
        "app": {"id": ID, "name": "myapp"},
        "config_vars": [f"{name}_URL"],
    }


@pytest.fixture(autouse=True)
def resolved(api: FakeApi) -> None:
    api.on(RESOLVE, [_attachment()])


def test_information_is_shown_without_the_url(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/addon-attachments", [_attachment("OTHER"), _attachment()])
    info = {"resource_url": URL, "info": [{"name": "Plan", "values": ["Standard 0"]}, {"name": "Data Size", "values": ["8 MB / 64 GB"]}]}
    api.on(f"GET {DATABASE}", info)
    out = senryu("pg", "-a", "myapp").out
    assert "=== DATABASE_URL, OTHER_URL" in out and "Data Size" in out and "pictures-db" in out
    assert "cret" not in senryu("pg:info", "-a", "myapp", "--json").out
    api.on("GET /apps/myapp/addon-attachments", [])
    assert "has no databases" in senryu("pg", "-a", "myapp").out


def test_a_reset_asks_for_the_apps_name(api: FakeApi, senryu: Senryu) -> None:
    api.on(f"PUT {DATABASE}/reset", {"message": "Reset successful."})
    assert senryu("pg:reset", "-a", "myapp", "--confirm", "other").status != 0
    assert not api.asked(f"PUT {DATABASE}/reset")
    senryu("pg:reset", "-a", "myapp", "--confirm", "myapp", "--extensions", "Hstore, citext")
    assert api.asked(f"PUT {DATABASE}/reset")[0].json == {"extensions": ["hstore", "citext"]}


def test_a_promotion_keeps_another_name_for_the_former_database(api: FakeApi, senryu: Senryu) -> None:
    former = {**_attachment(), "addon": {**_attachment()["addon"], "id": "former", "name": "former-db"}}  # type: ignore[dict-item]
    api.on(RESOLVE, [_attachment("TEAL")])
    api.on("GET /apps/myapp/addon-attachments", [former, _attachment("TEAL")])
    api.on(f"GET {DATABASE}/wait_status", {"waiting?": False, "message": "available"})
    api.on("POST /addon-attachments", {"name": "HEROKU_POSTGRESQL_RED"})
    senryu("pg:promote", "TEAL", "-a", "myapp")
    kept, promoted = (request.json for request in api.asked("POST /addon-attachments"))
    assert kept["addon"]["name"] == "former-db" and "name" not in kept
    assert (promoted["name"], promoted["confirm"], promoted["addon"]["name"]) == ("DATABASE", "myapp", "pictures-db")
    api.on("GET /apps/myapp/addon-attachments", [_attachment()])
    assert "already" in senryu("pg:promote", "DATABASE", "-a", "myapp").err


def test_credentials_are_listed_made_rotated_and_shown(api: FakeApi, senryu: Senryu) -> None:
    login = {"user": "u1", "connections": 2, "state": "active"}
    shown = {"name": "default", "state": "active", "credentials": [login], "host": "10.0.0.1", "port": 5432, "database": "d1"}
    api.on(f"GET {CREDENTIALS}", [shown])
    api.on(f"GET /addons/{ID}/addon-attachments", [_attachment()])
    assert "myapp::DATABASE" in senryu("pg:credentials", "-a", "myapp").out
    api.on(f"POST {CREDENTIALS}", {**shown, "name": "analyst"}, 201)
    assert "--credential analyst" in senryu("pg:credentials:create", "-a", "myapp", "--name", "analyst").out
    api.on(f"POST {CREDENTIALS}/analyst/credentials_rotation", {"message": "ok"})
    senryu("pg:credentials:rotate", "-a", "myapp", "--name", "analyst", "--confirm", "myapp")
    assert api.asked(f"POST {CREDENTIALS}/analyst/credentials_rotation")[0].json == {"forced": False}
    api.on(f"GET {CREDENTIALS}/default", {**shown, "credentials": [{**login, "password": "p/w"}]})
    assert "postgres://u1:p%2Fw@10.0.0.1:5432/d1" in senryu("pg:credentials:url", "-a", "myapp").out


def test_psql_is_led_to_a_port_of_this_machine_with_the_password_in_its_environment(
    api: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "psql"
    script.write_text(f'#!/bin/sh\nenv | grep ^PG > {tmp_path}/env\nprintf "%s\\n" "$@" > {tmp_path}/words\nexit 3\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    api.on("GET /apps/myapp/config-vars", {"DATABASE_URL": URL})
    assert senryu("pg:psql", "-a", "myapp", "-c", "SELECT 1").status == 3
    found = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert (found["PGHOST"], found["PGUSER"], found["PGPASSWORD"], found["PGDATABASE"]) == ("127.0.0.1", "u1", "s/cret", "d1")
    assert found["PGSSLMODE"] == "prefer" and "cret" not in (tmp_path / "words").read_text()
    senryu("pg:ps", "-a", "myapp")
    assert "pg_stat_activity" in (tmp_path / "words").read_text() and "$MINE" not in (tmp_path / "words").read_text()
    assert senryu("pg:kill", "1; DROP", "-a", "myapp").status != 3
    assert senryu("pg:psql", "-a", "myapp", "--credential", "none").status == 1


def test_a_diagnosis_shows_the_worst_first(api: FakeApi, senryu: Senryu) -> None:
    checks = [{"name": "Size", "status": "green", "results": []}, {"name": "Bloat", "status": "red", "results": [{"object": "t"}]}]
    api.on("POST /reports", {"id": ID, "app": "myapp", "database": "DATABASE", "created_at": "now", "checks": checks}, 201)
    out = senryu("pg:diagnose", "-a", "myapp").out
    assert out.index("RED: Bloat") < out.index("GREEN: Size") and "Object" in out
    assert json.loads(senryu("pg:diagnose", "-a", "myapp", "--json").out)["id"] == ID


def test_settings_are_shown_and_changed(api: FakeApi, senryu: Senryu) -> None:
    settings = {"track_functions": {"value": "pl"}, "log_lock_waits": {"value": False}}
    api.on(f"GET /postgres/v0/databases/{ID}/config", settings)
    api.on(f"PATCH /postgres/v0/databases/{ID}/config", settings)
    assert "log-lock-waits" in senryu("pg:settings", "-a", "myapp").out
    senryu("pg:settings", "DATABASE", "track-functions=pl", "-a", "myapp")
    assert api.asked(f"PATCH /postgres/v0/databases/{ID}/config")[0].json == {"track_functions": "pl"}


class Wire(socket.socket):
    """What leads to the database, without TLS."""

    def pending(self) -> int:
        return 0


@pytest.mark.parametrize("is_abrupt", [False, True])
def test_a_program_that_leaves_before_all_is_said_is_no_broken_connection(is_abrupt: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = socket.create_connection(listener.getsockname())
        client, _ = listener.accept()
    near, far = socket.socketpair()
    with client, far, Wire(near.family, near.type, fileno=near.detach()) as wire:
        if is_abrupt:
            program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        program.sendall(b"X")
        program.close()
        far.sendall(b"more than it waits for" * 1000)
        _carry(client, cast(ssl.SSLSocket, wire), b"first" * 100_000)
        wire.close()
        assert far.recv(10) in (b"X", b"")


@pytest.mark.parametrize("target", ["postgres://u:p%40q@db.example/d", "postgres://db.example/d?user=u&password=p%40q&connect_timeout=5"])
def test_a_password_of_a_database_elsewhere_is_in_no_programs_arguments(
    api: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    api.on("GET /apps/myapp/config-vars", {"DATABASE_URL": URL})
    (tmp_path / "psql").write_text(f'#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$@" > {tmp_path}/seen\necho 1\n')
    (tmp_path / "psql").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "not empty" in senryu("pg:pull", "DATABASE", target, "-a", "myapp").err
    password, *words = (tmp_path / "seen").read_text().splitlines()
    assert password == "p@q" and "p%40q" not in " ".join(words)
    assert words[-1] in ("postgres://u@db.example/d", "postgres://db.example/d?user=u&connect_timeout=5")


@pytest.mark.parametrize("words", [("pg:pull", "DATABASE", "postgres://[x"), ("pg:copy", "postgres://[x", "DATABASE")])
def test_an_address_that_is_none_is_told_as_one(api: FakeApi, senryu: Senryu, words: tuple[str, ...]) -> None:
    api.on("GET /apps/myapp/config-vars", {"DATABASE_URL": URL})
    assert "no address of a PostgreSQL database" in senryu(*words, "-a", "myapp").err
