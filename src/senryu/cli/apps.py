"""apps, apps:open, apps:rename, apps:destroy.

Source: https://devcenter.heroku.com/articles/renaming-apps
"""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urljoin

from senryu.cli import remotes
from senryu.cli.arguments import AN_APP, APP, CONFIRM, JSON, REMOTE, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, confirm, heading, hexagon, note, paint, say, table
from senryu.cli.platform_api import PlatformApi, path_of


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        apps = api.pages("/apps" if typed.on("all") else "/users/~/apps")
        if typed.on("json"):
            return as_json(apps)
        me = api.get("/account")["email"]
    own = sorted(app["name"] for app in apps if _owner(app) == me)
    others = sorted((app["name"], _owner(app)) for app in apps if _owner(app) != me)
    if not apps:
        return note("You have no apps. Make one with `senryu create`")
    if own:
        heading(f"{me} Apps")
        for name in own:
            say(name)
        say()
    if others:
        heading("Collaborated Apps")
        table(others)
        say()
    return None


def _owner(app: dict[str, Any]) -> str:
    return str((app.get("owner") or {}).get("email", ""))


def _open(typed: Typed) -> None:
    name = remotes.app_for(typed)
    with PlatformApi() as api:
        app = api.get(path_of("apps", name))
    address = urljoin(app["web_url"], typed.first().lstrip("/"))
    say(address)
    if not (os.environ.get("BROWSER") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
        return note("No browser can be opened from here, so open the address yourself")
    import webbrowser

    with Progress(f"Opening {hexagon(name)}"):
        if not webbrowser.open(address):
            raise Failure(f"No browser could be started for {address}", hint="Set BROWSER, or open the address yourself")
    return None


def _rename(typed: Typed) -> None:
    old, new = remotes.app_for(typed), typed.first()
    with PlatformApi() as api:
        with Progress(f"Renaming {hexagon(old)} to {hexagon(new)}"):
            app = api.patch(path_of("apps", old), {"name": new})
        say(f"{paint(app.get('web_url') or '', 'cyan')} | {paint(api.url.git(app['name']), 'green')}")
        for remote in _remotes_of(api, old):
            remotes.must_git("remote", "set-url", remote, api.url.git(app["name"]))
            note(f"Git remote {remote} updated")


def _remotes_of(api: PlatformApi, app: str) -> list[str]:
    try:
        return [remote for remote, name in remotes.remotes(api.url).items() if name == app]
    except Failure:
        return []  # no git on this machine


def _destroy(typed: Typed) -> None:
    name = typed.first() or remotes.app_for(typed)
    with PlatformApi() as api:
        path = path_of("apps", name)
        name = api.get(path)["name"]
        confirm(name, typed.text("confirm"), f"This will delete {hexagon(name)} with its releases, config, domains and logs")
        with Progress(f"Destroying {hexagon(name)}"):
            api.delete(path)
        for remote in _remotes_of(api, name):
            remotes.must_git("remote", "remove", remote)
            note(f"Git remote {remote} removed")


TOPIC = {
    "apps": Command(_index, "", (Flag("all", "A", "", "also apps of teams"), JSON)),
    "apps:open": Command(_open, "[PATH]", AN_APP, most=1, examples=("open", "open --app myapp /about")),
    "apps:rename": Command(_rename, "NEWNAME", AN_APP, least=1, most=1, examples=("rename --app oldname newname",)),
    "apps:destroy": Command(_destroy, "[APP]", (APP, REMOTE, CONFIRM), most=1, examples=("destroy --app myapp --confirm myapp",)),
}
