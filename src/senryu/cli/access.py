"""access, access:add, access:remove.

Source: https://devcenter.heroku.com/articles/collaborating
"""

from __future__ import annotations

import sys

from senryu.cli.arguments import AN_APP, JSON, Command, Typed
from senryu.cli.output import Progress, as_json, heading, hexagon, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        people = sorted(api.pages(path_of("apps", app, "collaborators")), key=lambda person: str(person["user"]["email"]))
    if typed.on("json"):
        return as_json(people)
    heading(f"{hexagon(app, sys.stdout)} Access")
    table((person["user"]["email"], person.get("role") or "collaborator") for person in people)
    return None


def _add(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api, Progress(f"Adding {typed.first()} access to the app {hexagon(app)}"):
        api.post(path_of("apps", app, "collaborators"), {"user": typed.first()})


def _remove(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api, Progress(f"Removing {typed.first()} access from the app {hexagon(app)}"):
        api.delete(path_of("apps", app, "collaborators", typed.first()))


TOPIC = {
    "access": Command(_index, "", (*AN_APP, JSON)),
    "access:add": Command(_add, "EMAIL", AN_APP, least=1, most=1, examples=("access:add user@example.com --app myapp",)),
    "access:remove": Command(_remove, "EMAIL", AN_APP, least=1, most=1, examples=("access:remove user@example.com --app myapp",)),
}
