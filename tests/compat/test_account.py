"""Login, tokens, keys, clients, sessions, access, and git's password."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request

from system.person import App
from system.terminal import TerminalSession

from .client import Heroku, newcomer

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0UlkBSmqYjlT0KQ4LdpnNyvTSXQFmkQfCkQ0TMbCnP ada@engine"


def test_who_is_asking(heroku: Heroku, app: App) -> None:
    heroku.run("auth:whoami", says="person@example.com")
    assert heroku.run("auth:token").stdout.strip() == heroku.environment["HEROKU_API_KEY"]
    heroku.run("auth:2fa", says="Two-factor authentication is not enabled")
    heroku.refused("auth:whoami", says="Invalid credentials provided", HEROKU_API_KEY="junk")


def _page(heroku: Heroku, path: str, **form: str) -> str:
    content = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(heroku.person.copy.url + path, content, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def _path_shown(terminal: TerminalSession) -> str:
    shown = terminal.await_text("Waiting for login")
    found = re.search(r"(/auth/browser/[\w-]+)", shown)
    assert found, shown
    return found[1]


def test_login_through_a_browser_and_logout(heroku: Heroku, app: App) -> None:
    with heroku.terminal("auth:login", "--browser", "true", without=("HEROKU_API_KEY",)) as terminal:
        terminal.await_text("to exit")
        terminal.type("\r")
        path = _path_shown(terminal)
        assert "Heroku CLI login from" in _page(heroku, path)
        said = _page(heroku, path, email=heroku.person.email, password=heroku.person.password)
        assert "Logged in." in said
        terminal.await_text("Logged in as")
        assert terminal.await_end() == 0
    heroku.passed.add("auth:login")
    netrc = (heroku.person.home / ".netrc").read_text()
    assert f"machine localhost:{heroku.person.copy.tls_port}" in netrc
    sessions = json.loads(heroku.run("sessions", "--json").stdout)
    assert [each for each in sessions if each["description"].startswith("Heroku CLI login from")]
    without = {name: value for name, value in heroku.environment.items() if name != "HEROKU_API_KEY"}
    kept, heroku.environment = heroku.environment, without
    try:
        heroku.run("auth:whoami", says="person@example.com")
        heroku.run("auth:logout", says="Logging out... done")
        assert f"machine localhost:{heroku.person.copy.tls_port}" not in (heroku.person.home / ".netrc").read_text()
    finally:
        heroku.environment = kept
    assert not [each for each in heroku.ask("/oauth/sessions") if each["description"].startswith("Heroku CLI login from")]


def test_login_with_a_password_and_the_end_of_a_session(heroku: Heroku, app: App) -> None:
    with heroku.terminal("auth:login", "-i", without=("HEROKU_API_KEY",)) as terminal:
        terminal.await_text("Email")
        terminal.type(f"{heroku.person.email}\r")
        terminal.await_text("Password")
        terminal.type(f"{heroku.person.password}\r")
        terminal.await_text("Logged in as")
        assert terminal.await_end() == 0
    session = next(each for each in heroku.ask("/oauth/sessions") if each["description"].startswith("Heroku CLI login from"))
    heroku.run("sessions:destroy", session["id"], says="done")
    assert session["id"] not in [each["id"] for each in heroku.ask("/oauth/sessions")]


def test_authorizations(heroku: Heroku, app: App) -> None:
    made = json.loads(heroku.run("authorizations:create", "-d", "for CI", "-s", "read", "--json").stdout)
    assert "for CI" in heroku.run("authorizations").stdout
    heroku.run("authorizations:info", made["id"], says="Scope: read")
    heroku.run("authorizations:update", made["id"], "-d", "for the night", says="done")
    rotated = heroku.run("authorizations:rotate", made["id"], says="done")
    assert made["access_token"]["token"] not in rotated.stdout
    heroku.run("authorizations:revoke", made["id"], says="done")
    assert made["id"] not in [each["id"] for each in heroku.ask("/oauth/authorizations")]


def test_ssh_keys(heroku: Heroku, app: App) -> None:
    heroku.run("keys", says="You have no SSH keys.")
    file = heroku.person.home / "key.pub"
    file.write_text(_KEY + "\n")
    heroku.run("keys:add", str(file), "--yes", says="done")
    heroku.run("keys", "--long", says="ada@engine")
    assert heroku.ask("/account/keys")[0]["public_key"] == _KEY
    heroku.run("keys:remove", "ada@engine", says="done")
    heroku.run("keys:add", str(file), "--yes")
    heroku.run("keys:clear", says="done")
    assert heroku.ask("/account/keys") == []
    file.write_text("ssh-ed25519 junk\n")
    heroku.refused("keys:add", str(file), "--yes", says="The SSH public key is damaged")


def test_oauth_clients(heroku: Heroku, app: App) -> None:
    heroku.run("clients", says="No OAuth clients.")
    made = heroku.run("clients:create", "mine", "https://example.com/back").stdout
    id = re.findall(r"HEROKU_OAUTH_ID=(\S+)", made)[0]
    secret = heroku.ask(f"/oauth/clients/{id}")["secret"]
    assert f"HEROKU_OAUTH_SECRET={secret}" in made
    heroku.run("clients:info", id, says="mine")
    heroku.run("clients:update", id, "--name", "yours", says="done")
    heroku.run("clients:rotate", id, says="done")
    changed = heroku.ask(f"/oauth/clients/{id}")
    assert (changed["name"], changed["secret"] == secret) == ("yours", False)
    heroku.refused("clients:create", "bad", "http://example.com/", status=1, says="have to use HTTPS")
    heroku.refused("clients:update", id, "--url", "https://example.com/#x", says="must be an https address")
    heroku.run("clients:destroy", id, says="done")
    assert heroku.ask("/oauth/clients") == []


def test_access_is_given_and_taken(heroku: Heroku, app: App) -> None:
    friend = newcomer(heroku.operator, "friend@example.com")
    heroku.run("access:add", friend.email, says="done")
    assert friend.email in heroku.run("access").stdout
    theirs = Heroku(friend)
    theirs.run("apps:info", "-a", app.name, says=app.name)
    heroku.run("access:remove", friend.email, says="done")
    theirs.refused("apps:info", "-a", app.name, says="Couldn't find the app")


def test_git_asks_the_client_for_its_password(heroku: Heroku, app: App) -> None:
    port = heroku.person.copy.tls_port
    said = heroku.run("git:credentials", "get", stdin=f"protocol=https\nhost=localhost:{port}\n\n").stdout
    assert f"password={heroku.environment['HEROKU_API_KEY']}" in said
    folder = heroku.person.home / "clone"
    heroku.run("git:clone", "-a", app.name, str(folder), cwd=heroku.person.home)
    assert (folder / "Procfile").exists()
    assert not (heroku.person.home / ".gitconfig").exists(), "the person's own git settings are left alone"
