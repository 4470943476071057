"""Webhooks while the platform is killed: no change goes untold, and what waited is delivered afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .conftest import NewApp
from .rig import Copy, eventually

FILES = {"Procfile": "web: sleep 1000\n", "requirements.txt": ""}


class Receiver:
    """Refuses until `is_willing`; keeps what it took."""

    def __init__(self) -> None:
        self.is_willing = False
        self.told: list[dict[str, Any]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def versions(self) -> list[int]:
        """The releases it was told of, in the order they came."""
        return [each["data"]["version"] for each in self.told if (each["resource"], each["action"]) == ("release", "create")]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def _door(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.is_willing:
                    receiver.told.append(json.loads(body))
                self.send_response(204 if receiver.is_willing else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

        return Door


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_no_release_goes_untold_although_the_platform_is_killed(make_app: NewApp, platform: Copy, receiver: Receiver) -> None:
    app = make_app(FILES)
    added = app.senryu("webhooks:add", "-i", "api:release", "-l", "sync", "-u", receiver.url)
    assert len(added.stdout.split()[-1]) == 60
    for number in range(3):
        setting = threading.Thread(target=app.senryu, args=("config:set", f"NUMBER={number}"), kwargs={"check": False})
        setting.start()
        app.senryu("config:set", f"OTHER={number}")
        platform.kill("senryud")
        platform.await_health()
        setting.join(60)
    versions = [int(release["version"]) for release in app.releases()]
    assert receiver.told == []
    assert "retrying" in app.senryu("webhooks:deliveries").stdout
    receiver.is_willing = True
    wanted = [version for version in sorted(versions) if version > 1]
    eventually(lambda: set(receiver.versions()) == set(wanted), f"all of {wanted}", within_s=90)
    once = list(dict.fromkeys(receiver.versions()))
    assert once == wanted, "in their order"
    eventually(lambda: "retrying" not in app.senryu("webhooks:deliveries").stdout, "nothing waits")
