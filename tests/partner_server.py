"""A small partner, run as a program of its own: `python partner_server.py PORT FOLDER`. What it made is in FOLDER, so it may be killed.

What it does is in a plan's name: `test` at once, `slow` takes `slow.s` seconds, `later` says 202 and goes on by itself, `refused` 422,
`busy` 503 while the file `busy` is there, `crash` makes the resource and ends before it answers.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PASSWORD, SALT = "partner-password", "partner-sso-salt"


class Partner(BaseHTTPRequestHandler):
    """See the module."""

    folder: Path

    def do_POST(self) -> None:
        if self.path == "/sso":
            return self._sign_on()
        asked = self._asked()
        if asked is None:
            return None
        plan, uuid = asked["plan"], asked["uuid"]
        if plan == "refused":
            return self._say(422, {"message": "Your plan is\x1b[31m sold out."})
        if plan == "busy" and (self.folder / "busy").exists():
            return self._say(503, {"message": "back soon"})
        if plan == "slow":
            time.sleep(float((self.folder / "slow.s").read_text()))
        self._keep(f"r-{uuid}", asked)
        if plan == "crash" and not (self.folder / "crashed").exists():
            (self.folder / "crashed").touch()
            os._exit(9)
        if plan == "later":
            threading.Thread(target=self._go_on, args=(asked,), daemon=True).start()
            return self._say(202, {"id": f"r-{uuid}", "message": "It takes a while."})
        return self._say(200, {"id": f"r-{uuid}", "config": self._config(uuid, plan), "message": "Enjoy."})

    def do_PUT(self) -> None:
        asked = self._asked()
        if asked is None:
            return None
        known = self.folder / f"{self.path.removeprefix('/r/')}.json"
        if not known.exists():
            return self._say(410, {})
        if asked["plan"] == "refused":
            return self._say(422, {"message": "Too small for you."})
        uuid = json.loads(known.read_text())["uuid"]
        return self._say(200, {"config": self._config(uuid, asked["plan"]), "message": "Changed."})

    def do_DELETE(self) -> None:
        if self._asked() is None:
            return None
        if (self.folder / "busy").exists():
            return self._say(503, {})
        known = self.folder / f"{self.path.removeprefix('/r/')}.json"
        if not known.exists():
            return self._say(404, {})
        known.unlink()
        return self._say(204, None)

    def _asked(self) -> dict[str, Any] | None:
        login = base64.b64encode(f"mailer:{PASSWORD}".encode()).decode()
        speaks = self.headers["Accept"] == "application/vnd.heroku-addons+json; version=3"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not speaks or self.headers["Authorization"] != f"Basic {login}":
            self._say(401, {})
            return None
        found: dict[str, Any] = json.loads(body or b"{}")
        return found

    def _sign_on(self) -> None:
        fields = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        wanted = hashlib.sha1(f"{fields['resource_id']}:{SALT}:{fields['timestamp']}".encode()).hexdigest()
        self._say(200 if fields["resource_token"] == wanted else 403, {"hello": fields["email"]})

    def _config(self, uuid: str, plan: str) -> dict[str, str]:
        return {"MAILER_URL": f"https://mail.example/{uuid}/{plan}"}

    def _keep(self, id: str, asked: dict[str, Any]) -> None:
        (self.folder / "asked.jsonl").open("a").write(json.dumps(asked) + "\n")
        (self.folder / f"{id}.json").write_text(json.dumps(asked))

    def _go_on(self, asked: dict[str, Any]) -> None:
        """Trades the grant, waits until the test lets it, sets the config and says that it is done."""
        while not (self.folder / "ready").exists():
            time.sleep(0.05)
        platform = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(asked["callback_url"]))
        secret = (self.folder / "secret").read_text()
        grant = {"grant_type": "authorization_code", "code": asked["oauth_grant"]["code"], "client_secret": secret}
        token = _called("POST", f"{platform}/oauth/token", grant)["access_token"]
        config = [{"name": name, "value": value} for name, value in self._config(asked["uuid"], asked["plan"]).items()]
        _called("PATCH", f"{asked['callback_url']}/config", {"config": config}, token)
        _called("POST", f"{asked['callback_url']}/actions/provision", {}, token)

    def _say(self, status: int, body: Any) -> None:
        said = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked was killed
            self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def _called(method: str, url: str, body: Any, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/vnd.heroku+json; version=3"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers, method=method), timeout=30) as answer:
        return json.load(answer)


def manifest(port: int) -> dict[str, Any]:
    """What the operator registers."""
    base = f"http://127.0.0.1:{port}"
    names = ("test", "slow", "later", "refused", "busy", "crash")
    return {
        "id": "mailer",
        "name": "Mailer",
        "api": {
            "config_vars": ["MAILER_URL", "MAILER_KEY"],
            "password": PASSWORD,
            "sso_salt": SALT,
            "regions": ["us"],
            "production": {"base_url": f"{base}/r", "sso_url": f"{base}/sso"},
            "version": "3",
        },
        "plans": [{"slug": name, "price_cents": 100 * number} for number, name in enumerate(names)],
    }


if __name__ == "__main__":
    Partner.folder = Path(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Partner).serve_forever()
