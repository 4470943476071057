"""Teams, permissions, and apps that change hands."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from system.person import App, Person

from .client import Heroku, newcomer


def _call(heroku: Heroku, method: str, path: str, body: dict[str, Any]) -> Any:
    """What the client has no command for: making a team is done on Heroku's pages."""
    headers = {"Authorization": f"Bearer {heroku.environment['HEROKU_API_KEY']}", "Content-Type": "application/json"}
    request = urllib.request.Request(heroku.person.copy.url + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _accepts(person: Person, app: str) -> None:
    _call(Heroku(person), "PATCH", f"/account/app-transfers/{app}", {"state": "accepted"})


def test_teams_have_members_and_apps(heroku: Heroku, app: App) -> None:
    _call(heroku, "POST", "/teams", {"name": "acme"})
    heroku.run("teams", says="acme admin")
    heroku.run("orgs", says="acme admin")
    mate = newcomer(heroku.operator, "mate@example.com")
    heroku.run("members:add", mate.email, "-t", "acme", "-r", "viewer", says="done")
    heroku.run("members:set", mate.email, "-t", "acme", "-r", "member", says="done")
    listed = heroku.run("members", "-t", "acme").stdout
    assert "mate@example.com member" in " ".join(listed.split())
    heroku.refused("members:add", "nobody@example.com", "-t", "acme", "-r", "member", says="There is no account for nobody@example.com")
    name = f"t-{app.name}"
    heroku.run("apps:create", name, "--team", "acme", "--no-remote", says=f"Creating {name}... done")
    assert heroku.ask(f"/apps/{name}")["team"]["name"] == "acme"
    heroku.run("apps", "--team", "acme", says=name)
    heroku.run("apps:info", "-a", name, says="Owner: acme")
    theirs = Heroku(mate)
    theirs.refused("config:set", "A=1", "-a", name, says="You need the permission `deploy`")
    heroku.passed |= _joining(heroku, theirs, name)
    heroku.run("access:add", mate.email, "-a", name, says="done")
    heroku.run("access:update", mate.email, "-a", name, "-p", "operate", says="done")
    theirs.refused("config", "-a", name, says="You need the permission `deploy`")
    heroku.run("access", "-a", name, says="mate@example.com member operate, view")
    heroku.run("members:remove", mate.email, "-t", "acme", says="done")
    theirs.refused("apps:info", "-a", name, says="Couldn't find the app")
    heroku.run("usage:addons", "--team", "acme")
    heroku.run("apps:destroy", "-a", name, "--confirm", name, says="done")


def _joining(heroku: Heroku, theirs: Heroku, name: str) -> set[str]:
    theirs.run("apps:join", "-a", name, says="done")
    theirs.run("config:set", "JOINED=yes", "-a", name, says="done, v")
    theirs.run("apps:leave", "-a", name, says="done")
    heroku.run("apps:lock", "-a", name, says="done")
    theirs.refused("apps:join", "-a", name, says="Couldn't find the app")
    heroku.run("apps:unlock", "-a", name, says="done")
    return {"apps:join", "apps:leave"}


def test_apps_change_hands(heroku: Heroku, app: App) -> None:
    heir = newcomer(heroku.operator, "heir@example.com")
    heroku.run("apps:transfer", heir.email, "-a", app.name, says="email sent")
    heroku.refused("apps:transfer", heir.email, "-a", app.name, says="is being offered to somebody already")
    _accepts(heir, app.name)
    theirs = Heroku(heir)
    theirs.run("apps:info", "-a", app.name, says="Owner: heir@example.com")
    heroku.refused("apps:info", "-a", app.name, says="Couldn't find the app")
    _call(heroku, "POST", "/teams", {"name": "umbrella"})
    heroku.run("members:add", heir.email, "-t", "umbrella", "-r", "member")
    theirs.run("apps:transfer", "umbrella", "-a", app.name, says="done")
    heroku.run("apps:info", "-a", app.name, says="Owner: umbrella")
    heroku.run("apps:transfer", heroku.person.email, "-a", app.name, "--confirm", app.name, says="done")
    assert heroku.ask(f"/apps/{app.name}")["owner"]["email"] == heroku.person.email
    assert app.visit().status == 200
