"""buildpacks, buildpacks:add, buildpacks:set, buildpacks:remove, buildpacks:clear.

Source: https://devcenter.heroku.com/articles/using-multiple-buildpacks-for-an-app
"""

from __future__ import annotations

import sys

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import as_json, heading, hexagon, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _list(api: PlatformApi, app: str) -> list[str]:
    found = sorted(api.pages(path_of("apps", app, "buildpack-installations")), key=lambda entry: int(entry["ordinal"]))
    return [_shown(entry["buildpack"]) for entry in found]


def _shown(buildpack: dict[str, str]) -> str:
    return (buildpack.get("name") or buildpack["url"]).removeprefix("urn:buildpack:")


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _list(api, app)
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say(f"{hexagon(app, sys.stdout)} has no Buildpacks.")
    heading(f"{hexagon(app, sys.stdout)} Buildpack{'s' if len(found) > 1 else ''}")
    for line in _numbered(found):
        say(line)
    return None


def _numbered(found: list[str]) -> list[str]:
    return found if len(found) == 1 else [f"{number}. {buildpack}" for number, buildpack in enumerate(found, 1)]


def added(present: list[str], new: str, position: int | None) -> list[str]:
    """The list with one more, at `position` (from 1) or at the end."""
    at = len(present) if position is None else min(position - 1, len(present))
    return [*present[:at], new, *present[at:]]


def replaced(present: list[str], new: str, position: int | None) -> list[str]:
    """The list with `new` in the place of another, the first unless `position` says otherwise."""
    at = (position or 1) - 1
    return [*present[:at], new, *present[at + 1 :]] if at < len(present) else [*present, new]


def _position(typed: Typed) -> int | None:
    return typed.number("index", 1) if typed.text("index") is not None else None


def _change(typed: Typed, verb: str) -> None:
    app, new = app_for(typed), typed.first()
    with PlatformApi() as api:
        present = _list(api, app)
        if new in present and not (verb == "set" and present == [new]):
            raise Failure(f"The buildpack {new} is already set on {app}", hint=f"`senryu buildpacks --app {app}` lists them")
        _put(api, app, (added if verb == "added" else replaced)(present, new, _position(typed)), verb)


def _add(typed: Typed) -> None:
    _change(typed, "added")


def _set(typed: Typed) -> None:
    _change(typed, "set")


def _remove(typed: Typed) -> None:
    app, position = app_for(typed), _position(typed)
    if (position is None) == (not typed.args):
        raise Failure("Which buildpack is to be removed?", hint="Name it, or its place with `--index`, but not both")
    with PlatformApi() as api:
        present = _list(api, app)
        at = present.index(typed.first()) if typed.first() in present else (position or 0) - 1
        if not 0 <= at < len(present):
            raise Failure(f"{app} has no buildpack `{typed.first() or position}`", hint=f"`senryu buildpacks --app {app}` lists them")
        _put(api, app, present[:at] + present[at + 1 :], "removed")


def _put(api: PlatformApi, app: str, wanted: list[str], verb: str) -> None:
    updates = [{"buildpack": buildpack} for buildpack in wanted]
    api.put(path_of("apps", app, "buildpack-installations"), {"updates": updates}, range="")
    if not wanted:
        return say(f"Buildpack {verb}. Next release on {app} will detect buildpacks normally.")
    if len(wanted) == 1:
        say(f"Buildpack {verb}. Next release on {app} will use {wanted[0]}.")
    else:
        say(f"Buildpack {verb}. Next release on {app} will use:")
        for line in _numbered(wanted):
            say(f"  {line}")
    say(f"Run git push senryu main to create a new release using {'this buildpack' if len(wanted) == 1 else 'these buildpacks'}.")
    return None


def _clear(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        api.put(path_of("apps", app, "buildpack-installations"), {"updates": []}, range="")
    say(f"Buildpacks cleared. Next release on {app} will detect buildpacks normally.")


INDEX = Flag("index", "i", "NUM", "place in the list, from 1")
TOPIC = {
    "buildpacks": Command(_index, "", (*AN_APP, JSON)),
    "buildpacks:add": Command(_add, "BUILDPACK", (*AN_APP, INDEX), least=1, most=1, examples=("buildpacks:add --index 1 heroku/nodejs",)),
    "buildpacks:set": Command(_set, "BUILDPACK", (*AN_APP, INDEX), least=1, most=1, examples=("buildpacks:set heroku/python",)),
    "buildpacks:remove": Command(_remove, "[BUILDPACK]", (*AN_APP, INDEX), most=1, examples=("buildpacks:remove heroku/python",)),
    "buildpacks:clear": Command(_clear, "", AN_APP),
}
