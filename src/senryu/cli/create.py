"""apps:create.

Source: https://devcenter.heroku.com/articles/creating-apps
"""

from __future__ import annotations

from typing import Any

from senryu.cli import remotes
from senryu.cli.arguments import JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, hexagon, note, paint, say, warn
from senryu.cli.platform_api import PlatformApi, path_of


def _create(typed: Typed) -> None:
    name = typed.first() or typed.text("app")
    asked = {"name": name, "stack": typed.text("stack"), "region": typed.text("region")}
    with PlatformApi() as api:
        with Progress(f"Creating {hexagon(name) if name else 'app'}") as progress:
            app = api.post("/apps", {key: value for key, value in asked.items() if value})
            stack = (app.get("stack") or {}).get("name")
            progress.then = ", ".join(filter(None, ("" if name else hexagon(app["name"]), f"stack is {stack}" if stack else "")))
        _add_buildpacks(api, app["name"], typed.texts("buildpack"))
        if typed.on("json"):
            as_json(app)
        else:
            say(f"{paint(app.get('web_url') or '', 'cyan')} | {paint(api.url.git(app['name']), 'green')}")
        if not typed.on("no-remote"):
            _add_remote(api, app, typed.text("remote") or "senryu")


def _add_buildpacks(api: PlatformApi, app: str, buildpacks: list[str]) -> None:
    if not buildpacks:
        return
    with Progress(f"Setting buildpack to {', '.join(buildpacks)}"):
        updates = [{"buildpack": buildpack} for buildpack in buildpacks]
        api.put(path_of("apps", app, "buildpack-installations"), {"updates": updates}, range="")


def _add_remote(api: PlatformApi, app: dict[str, Any], remote: str) -> None:
    try:
        if not remotes.in_repository():
            return
    except Failure:
        return  # no git on this machine: the app is made all the same
    wanted = api.url.git(app["name"])
    present = (remotes.git("config", f"remote.{remote}.url") or "").strip()
    if present and present != wanted:
        warn(f"The git remote {remote} is {present} and was left as it is; `senryu git:remote -a {app['name']}` moves it")
        return
    remotes.add(remote, app["name"], api.url)
    note(f"Git remote {remote} added")


TOPIC = {
    "apps:create": Command(
        _create, "[NAME]",
        (
            Flag("app", "a", "NAME", "the app's name; two words and a number are made up without it"),
            Flag("remote", "r", "REMOTE", "name of the git remote (senryu)"),
            Flag("no-remote", "n", "", "add no git remote"),
            Flag("stack", "s", "STACK", "stack of the app"),
            Flag("buildpack", "b", "BUILDPACK", "buildpack of the app, by name or URL; may be repeated", many=True),
            Flag("region", "", "REGION", "region of the app"),
            JSON,
        ),
        most=1, examples=("create", "create myapp", "create myapp --remote heroku"),
    ),
}  # fmt: skip
