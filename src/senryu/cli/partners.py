"""addons:open, addons:services:add, addons:services:remove.

Source: https://devcenter.heroku.com/articles/add-on-manifest
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from senryu.cli.arguments import AN_APP, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, note, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _open(typed: Typed) -> None:
    name = typed.first()
    app = app_for(typed) if typed.text("app") or typed.text("remote") else None
    with PlatformApi() as api:
        found: list[dict[str, Any]] = api.post("/actions/addons/resolve", {"addon": name, **({"app": app} if app else {})})
    address = found[0]["web_url"]
    if not address:
        raise Failure(f"{found[0]['name']} has no dashboard", hint="`senryu addons:info` and `senryu config` show what there is")
    say(address)
    if typed.on("show-url"):
        return None
    if not (os.environ.get("BROWSER") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
        return note("No browser can be opened from here, so open the address yourself within 5 minutes")
    import webbrowser

    if not webbrowser.open(address):
        raise Failure("No browser could be started", hint="Open the address yourself within 5 minutes")
    return None


def _add(typed: Typed) -> None:
    try:
        manifest = json.loads(Path(typed.first()).read_text())
    except (OSError, ValueError) as problem:
        raise Failure(f"{typed.first()} is no manifest: {problem}", hint="It is a JSON file such as addon-manifest.json") from None
    with PlatformApi() as api:
        with Progress(f"Registering {manifest.get('id') if isinstance(manifest, dict) else typed.first()}"):
            made = api.post("/senryu/partners", manifest)
        say(f"{made['name']} is offered with the plans {', '.join(made['plans'])}.")
        say(f"Its partner trades grants with the client secret {made['client_secret']}")


def _remove(typed: Typed) -> None:
    with PlatformApi() as api, Progress(f"Removing {typed.first()}"):
        api.delete(path_of("senryu", "partners", typed.first()))


TOPIC = {
    "addons:open": Command(
        _open, "ADDON", (*AN_APP, Flag("show-url", "", "", "only print the address")), least=1, most=1, examples=("addons:open mailer",)
    ),
    "addons:services:add": Command(_add, "MANIFEST", (), least=1, most=1, examples=("addons:services:add addon-manifest.json",)),
    "addons:services:remove": Command(_remove, "SERVICE", (), least=1, most=1, examples=("addons:services:remove mailer",)),
}
