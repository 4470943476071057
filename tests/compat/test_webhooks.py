"""Webhooks and second factors by the official client, with a receiver that listens and an authenticator app."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyotp
import pytest

from system.person import App
from system.rig import eventually

from .client import Heroku, newcomer


class Receiver:
    """Keeps what it is told: headers and body. Answers with `status`."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.told]

    def resources(self) -> list[tuple[str, str]]:
        return [(each["resource"], each["action"]) for each in self.events()]

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
                receiver.told.append((dict(self.headers.items()), body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        return Door


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_webhooks_are_added_told_listed_changed_and_removed(heroku: Heroku, app: App, receiver: Receiver) -> None:
    heroku.run("webhooks", says="has no webhooks")
    include = "api:release,api:domain"
    added = heroku.run("webhooks:add", "-i", include, "-l", "sync", "-u", receiver.url, "-t", "Bearer s3cret-header")
    secret = re.findall(r"[0-9a-f]{60}", added.stdout)[0]
    eventually(lambda: receiver.resources() == [("webhook", "create")], "the ping")
    headers, body = receiver.told[0]
    assert headers["Heroku-Webhook-Hmac-SHA256"] == base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    assert headers["Authorization"] == "Bearer s3cret-header"
    id = receiver.events()[0]["data"]["id"]
    heroku.run("webhooks", says=include)
    heroku.run("webhooks:info", id, says=receiver.url)
    receiver.status = 500
    heroku.run("config:set", "TOLD=yes")
    eventually(lambda: ("release", "create") in receiver.resources(), "the release")
    heroku.run("webhooks:deliveries", "--status", "retrying", says="api:release")
    receiver.status = 204
    eventually(lambda: receiver.resources().count(("release", "create")) >= 2, "another try")
    eventually(lambda: "retrying" not in heroku.run("webhooks:deliveries").stdout, "its success")
    delivery = receiver.events()[-1]["webhook_metadata"]["delivery"]["id"]
    heroku.run("webhooks:deliveries:info", delivery, says='"resource": "release"')
    heroku.run("webhooks:events", says="release")
    event = receiver.events()[-1]["webhook_metadata"]["event"]["id"]
    heroku.run("webhooks:events:info", event, says="TOLD")
    heroku.run("webhooks:update", id, "-i", "api:dyno", "-l", "notify", "-u", receiver.url, says="done")
    heroku.run("ps:restart")
    eventually(lambda: {("dyno", "create"), ("dyno", "update")} <= set(receiver.resources()), "the dynos")
    heroku.refused("webhooks:add", "-i", "api:nothing", "-l", "sync", "-u", receiver.url, says="is not something webhooks tell of")
    heroku.refused("webhooks:info", "00000000-0000-4000-8000-000000000000", says="Couldn't find that webhook")
    heroku.run("webhooks:remove", id, says="done")
    heroku.run("webhooks", says="has no webhooks")
    heroku.run("config:unset", "TOLD")


def test_a_login_with_a_second_factor(heroku: Heroku, app: App) -> None:
    careful = newcomer(heroku.operator, "careful@example.com")
    theirs = Heroku(careful)
    seed = _enabled(theirs)
    theirs.run("auth:2fa", says="Two-factor authentication is enabled")
    with theirs.terminal("auth:login", "-i", without=("HEROKU_API_KEY",)) as terminal:
        terminal.await_text("Email")
        terminal.type(f"{careful.email}\r")
        terminal.await_text("Password")
        terminal.type(f"{careful.password}\r")
        terminal.await_text("wo-factor code")
        terminal.type(f"{pyotp.TOTP(seed).at(int(time.time()) + 30)}\r")
        terminal.await_text("Logged in as")
        assert terminal.await_end() == 0


def _enabled(heroku: Heroku) -> str:
    """A second factor set up with our own command line, by somebody at a terminal; gives the seed."""
    from system.person import PROGRAM
    from system.terminal import TerminalSession

    with TerminalSession([PROGRAM, "2fa:enable"], {**heroku.person.environment, "TERM": "xterm"}) as terminal:
        terminal.await_text("Password")
        terminal.type(f"{heroku.person.password}\r")
        shown = terminal.await_text("Two-factor code")
        seed = str(re.findall(r"Secret: ([A-Z2-7]+)", shown)[0])
        terminal.type(f"{pyotp.TOTP(seed).now()}\r")
        terminal.await_text("not shown again")
        assert terminal.await_end() == 0
    return seed
