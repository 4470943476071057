"""Secrets are seeded everywhere a platform is given one, and looked for in everything it wrote, ran and answered."""

from __future__ import annotations

import base64
import json
import re
import secrets
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyotp
import pytest

from .canaries import Watch, in_bytes, in_dynos, in_environments, in_tree, needles
from .person import Person, new_app
from .rig import Copy, eventually

FILES = {
    "requirements.txt": "",
    "Procfile": "release: sh -c 'echo released'\nweb: python serve.py\nbad: python -c 'raise SystemExit(3)'\n",
    "serve.py": (
        "import os, http.server\n"
        "http.server.ThreadingHTTPServer(('', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    ),
}
# What whoever works on an app sees of it: its config, and the addresses that drains are removed by and webhooks changed.
SEEN_BY_COLLABORATORS = {"config-vars": {"config"}, "log-drains": {"drain"}, "webhooks": {"url"}}


@pytest.fixture
def receiver() -> Iterator[str]:
    """Something that takes what is posted to it; host and port."""

    class Door(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500 if "/failing" in self.path else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def invited(operator: Person, name: str) -> Person:
    """Another account."""
    email = f"{name}-{secrets.token_hex(3)}@example.com"
    code = operator.senryu("registration:invite", email).stdout.split()[-1]
    person = Person(operator.copy, operator.home.parent / email, email)
    person.register("--invitation", code)
    return person


def token_of(person: Person) -> str:
    return person.senryu("auth:token").stdout.strip()


def call(person: Person | None, copy: Copy, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """One call of the API; status, headers and body."""
    given = {"Content-Type": "application/json", **headers}
    if person is not None and "Authorization" not in given:
        given["Authorization"] = f"Bearer {token_of(person)}"
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(copy.url + path, content, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, str(answer.headers).encode() + answer.read()
    except urllib.error.HTTPError as problem:
        return problem.code, str(problem.headers).encode() + problem.read()


def made(person: Person, path: str, body: Any, **headers: str) -> dict[str, Any]:
    status, answer = call(person, person.copy, "POST", path, body, **headers)
    assert status in (200, 201), answer
    return dict(json.loads(answer[answer.index(b"\n\n") + 2 :] if b"\n\n" in answer else answer))


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate and its key in PEM."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=secret.example.org", "-days", "30"]
    names = ["-addext", "subjectAltName=DNS:secret.example.org", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command, *names], cwd=folder, check=True, capture_output=True, timeout=60)
    return (folder / "cert.pem").read_text(), (folder / "key.pem").read_text()


def test_secrets_are_nowhere_but_where_they_belong(operator: Person, receiver: str, tmp_path: Path) -> None:
    copy = operator.copy
    owner, stranger, friend = (invited(operator, name) for name in ("owner", "stranger", "friend"))
    said = {name: f"CANARY-{name}-{secrets.token_hex(12)}" for name in "config env drain hook header url wrong malformed".split()}
    said |= {"password": owner.password, "token": token_of(owner)}
    seed = made(owner, "/senryu/two-factor", {"password": owner.password})["secret"]
    status, answer = call(owner, copy, "PATCH", "/senryu/two-factor", {"code": pyotp.TOTP(seed).now()})
    assert status == 200, answer
    said["seed"] = seed
    said |= {f"recovery {at}": code for at, code in enumerate(json.loads(answer[answer.index(b"{") :])["recovery_codes"])}
    said["second token"] = made(owner, "/oauth/authorizations", {}, **{"Request-Id": "canary"})["access_token"]["token"]
    said["client secret"] = made(owner, "/oauth/clients", {"name": "c", "redirect_uri": "https://c.example.com/"})["secret"]
    with new_app(owner, FILES) as app:
        cert, key = certificate(tmp_path)
        said["certificate key"] = key.splitlines()[5]
        sought = needles(said)
        with Watch(sought) as watch:
            _live(app, said, receiver, cert, key)
            _err(app, said, friend)
            app.senryu("access:add", friend.email)
            found_at_work = in_tree(copy.home, sought)
            environments = in_environments(copy.home, sought)
            assert in_dynos(needles({"config": said["config"]})) == {"config"}, "the dynos themselves have it"
            copy.kill("senryud")
            copy.await_health()
            eventually(lambda: app.visit("/").status == 200, "the app")
            app.senryu("ps:restart")
            eventually(lambda: app.visit("/").status == 200, "the app")
        assert watch.looks > 20
        assert watch.found == set()
        found = found_at_work | in_tree(copy.home, sought) | environments
        # The router reads the certificates it serves from files: its own user's alone.
        served = {each for each in found if ": certificate key (" in each and "/" in each and each.endswith(", 600)")}
        # A dyno's configuration for runc holds its environment, root's alone, for the milliseconds until it has started.
        starting = {each for each in found if re.match(r"agent/dynos/[0-9a-f-]{36}/config\.json: (config|env) \(uid 0, 600\)$", each)}
        assert found - served - starting == set(), found
        for path in _readable(app.name):
            for person in (stranger, operator, None):
                status, answer = call(person, copy, "GET", path)
                assert status in (401, 404), (path, answer)
                assert in_bytes(answer, sought) == set(), path
            _, answer = call(friend, copy, "GET", path)
            seen = in_bytes(answer, sought)
            assert seen <= SEEN_BY_COLLABORATORS.get(path.rpartition("/")[2], set()), (path, seen)
        assert in_bytes(app.log().encode(), sought) == set()
        assert in_bytes(copy.own_log(10_000).encode(), sought) == set()
        app_id = app.id()
    assert in_tree(copy.home, needles({"config": said["config"]})) == set(), f"what is left of {app_id}"


def _live(app: Any, said: dict[str, str], receiver: str, cert: str, key: str) -> None:
    """The good day of an app."""
    owner = app.owner
    status, answer = call(owner, owner.copy, "PATCH", f"/apps/{app.name}/config-vars", {"SECRET": said["config"]})
    assert status == 200, answer
    made(owner, f"/apps/{app.name}/log-drains", {"url": f"http://me:{said['drain']}@{receiver}/in"})
    hook = {"include": ["api:release", "api:dyno"], "level": "sync", "secret": said["hook"], "authorization": said["header"]}
    for path in ("in", "failing"):
        made(owner, f"/apps/{app.name}/webhooks", {**hook, "url": f"http://me:{said['url']}@{receiver}/{path}"})
    app.push()
    eventually(lambda: app.visit("/").status == 200, "the app")
    made(owner, f"/apps/{app.name}/dynos", {"command": "sleep 5", "env": {"GIVEN": said["env"]}})
    made(owner, f"/apps/{app.name}/dynos", {"command": "python -c 'raise SystemExit(4)'", "env": {"GIVEN": said["env"]}})
    made(owner, f"/apps/{app.name}/domains", {"hostname": f"secret-{app.name}.example.org"})
    made(owner, f"/apps/{app.name}/sni-endpoints", {"certificate_chain": cert, "private_key": key})
    app.senryu("ps:scale", "bad=1")
    eventually(lambda: "crashed" in app.states().values(), "the crash")


def _err(app: Any, said: dict[str, str], friend: Person) -> None:
    """And the bad one: whatever is refused, broken or wrong."""
    copy = app.copy
    for header in (f"Bearer {said['wrong']}", "Basic " + base64.b64encode(f"{app.owner.email}:{said['wrong']}".encode()).decode()):
        for path in ("/account", f"/{app.name}.git/info/refs?service=git-receive-pack"):
            assert call(None, copy, "GET", path, Authorization=header)[0] == 401
    wrong = "Basic " + base64.b64encode(f"{app.owner.email}:{said['wrong']}".encode()).decode()
    assert call(None, copy, "POST", "/oauth/authorizations", {}, Authorization=wrong)[0] == 401
    right = "Basic " + base64.b64encode(f"{app.owner.email}:{app.owner.password}".encode()).decode()
    status, answer = call(None, copy, "POST", "/oauth/authorizations", {}, Authorization=right)
    assert (status, b"two_factor" in answer) == (403, True)
    code = {"Heroku-Two-Factor-Code": said["recovery 0"], "Authorization": right}
    assert call(None, copy, "POST", "/oauth/authorizations", {}, **code)[0] == 201
    for body in (f'{{"A": "{said["malformed"]}"', f'{{"bad key": "{said["malformed"]}"}}', f'{{"A": {{"b": "{said["malformed"]}"}}}}'):
        status, answer = call(app.owner, copy, "PATCH", f"/apps/{app.name}/config-vars", body.encode())
        assert status in (400, 422), answer
        assert said["malformed"].encode() not in answer
    refused: list[tuple[str, dict[str, object]]] = [
        ("log-drains", {"url": f"ftp://me:{said['drain']}@x/"}),
        ("webhooks", {"url": f"ftp://me:{said['url']}@x/", "include": ["api:app"], "level": "sync"}),
        ("sni-endpoints", {"certificate_chain": "junk", "private_key": said["certificate key"]}),
    ]
    for path, content in refused:
        status, answer = call(app.owner, copy, "POST", f"/apps/{app.name}/{path}", content)
        assert status in (400, 422), answer
        assert in_bytes(answer, needles(said)) == set(), path
    assert call(friend, copy, "GET", f"/apps/{app.name}")[0] == 404
    app.write({"Procfile": "release: false\nweb: python serve.py\n"})
    app.commit({})
    assert app.push(check=False).returncode != 0 or _fails(app)


def _fails(app: Any) -> bool:
    """Whether the newest release failed, as its release command does."""
    deadline = time.monotonic() + 45
    while time.monotonic() < deadline:
        if app.releases()[0]["status"] == "failed":
            return True
        time.sleep(0.2)
    return False


def _readable(app: str) -> list[str]:
    """What of an app can be read."""
    kinds = "config-vars releases builds dynos formation domains log-drains webhooks webhook-deliveries webhook-events collaborators"
    kinds += " features addons sni-endpoints buildpack-installations releases/2 releases/2/config-vars"
    return [f"/apps/{app}", *(f"/apps/{app}/{kind}" for kind in kinds.split())]


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    secret = f"CANARY-{secrets.token_hex(12)}"
    sought = needles({"it": secret})
    (tmp_path / "plain").write_text(f"x={secret}")
    for number in range(3):
        (tmp_path / f"base64-{number}").write_bytes(base64.b64encode(b"u" * number + b":" + secret.encode() + b"!rest"))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.seek((1 << 29) - 7)
        file.write(secret.encode())
    assert {re.sub(r":.*", "", each) for each in in_tree(tmp_path, sought)} == {"plain", "base64-0", "base64-1", "base64-2", "sparse"}
    assert in_tree(tmp_path, needles({"other": "nowhere-to-be-found"})) == set()
