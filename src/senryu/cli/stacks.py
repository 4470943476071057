"""stack, stack:set, stacks, stacks:import.

Source: https://devcenter.heroku.com/articles/stack
"""

from __future__ import annotations

import os
import sys

from senryu.cli.arguments import AN_APP, JSON, Command, Typed
from senryu.cli.output import Progress, as_json, heading, hexagon, note, paint, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.pages("/stacks")
    if typed.on("json"):
        return as_json(found)
    table(((s["name"], s.get("state"), "default" if s.get("default") else "") for s in found), ("Name", "State", ""))
    return None


def _of_app(typed: Typed) -> None:
    name = app_for(typed)
    with PlatformApi() as api:
        app, found = api.get(path_of("apps", name)), api.pages("/stacks")
    if typed.on("json"):
        return as_json(found)
    heading(f"{hexagon(name, sys.stdout)} Available Stacks")
    current, following = app["stack"]["name"], (app.get("build_stack") or app["stack"])["name"]
    for stack in sorted(entry["name"] for entry in found):
        if stack == current:
            say(paint(f"* {stack}", "green"))
        else:
            say(f"  {stack}{' (active on next deploy)' if stack == following else ''}")
    return None


def _set(typed: Typed) -> None:
    name, stack = app_for(typed), typed.first()
    with PlatformApi() as api, Progress(f"Setting stack to {paint(stack, 'green', sys.stderr)}"):
        app = api.patch(path_of("apps", name), {"build_stack": stack})
    if (app.get("build_stack") or app["stack"])["name"] != app["stack"]["name"]:
        note(f"You will need to redeploy {hexagon(name)} for the change to take effect.")
        note(f"Run git push senryu main to trigger a new build on {hexagon(name)}.")


def _import(typed: Typed) -> None:
    name, source = typed.args
    # The platform reads the path, not this command line; a relative one would mean another place there.
    source = os.path.abspath(source) if os.path.exists(source) else source
    with PlatformApi() as api, Progress(f"Importing stack {name} from {source}"):
        api.post("/senryu/stacks", {"name": name, "source": source})


TOPIC = {
    "stacks": Command(_index, "", (JSON,)),
    "stacks:import": Command(
        _import, "NAME SOURCE", (), least=2, most=2,
        examples=("stacks:import bookworm docker.io/library/debian:bookworm", "stacks:import mine /srv/rootfs.tar.gz"),
    ),
    "stack": Command(_of_app, "", (*AN_APP, JSON)),
    "stack:set": Command(_set, "STACK", AN_APP, least=1, most=1, examples=("stack:set host",)),
}  # fmt: skip
