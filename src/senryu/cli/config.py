"""config, config:get, config:set, config:unset.

Source: https://devcenter.heroku.com/articles/config-vars
"""

from __future__ import annotations

import sys

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import USAGE, Failure
from senryu.cli.output import Progress, as_json, heading, hexagon, paint, pairs, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.releases import made_by_change, name, see_through
from senryu.cli.remotes import app_for


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found: dict[str, str] = api.get(path_of("apps", app, "config-vars"))
    found = dict(sorted(found.items()))
    if typed.on("json"):
        return as_json(found)
    if typed.on("shell"):
        return _shell(found)
    heading(f"{hexagon(app, sys.stdout)} Config Vars")
    pairs(found)
    return None


def _shell(values: dict[str, str]) -> None:
    from shlex import quote

    for key, value in values.items():
        say(f"{key}={quote(value)}")


def _get(typed: Typed) -> int:
    app = app_for(typed)
    with PlatformApi() as api:
        found: dict[str, str] = api.get(path_of("apps", app, "config-vars"))
    missing = [key for key in typed.args if key not in found]
    asked = {key: found[key] for key in typed.args if key in found}
    if typed.on("json"):
        as_json(asked)
    elif typed.on("shell"):
        _shell(asked)
    else:
        for value in asked.values():
            say(value)
    if missing:
        raise Failure(f"{hexagon(app)} has no config var `{missing[0]}`", hint=f"`senryu config --app {app}` lists them", status=USAGE)
    return 0


def _assignments(words: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise Failure(f"`{word}` is no config var", hint="Write `KEY=value`, for example `senryu config:set RAILS_ENV=staging`")
        values[key.strip()] = value
    return values


def _set(typed: Typed) -> None:
    app, values = app_for(typed), _assignments(typed.args)
    names = ", ".join(paint(key, "green", sys.stderr) for key in values)
    with PlatformApi() as api:
        with Progress(f"Setting {names} and restarting {hexagon(app)}") as progress:
            kept: dict[str, str] = api.patch(path_of("apps", app, "config-vars"), values)
            release = made_by_change(api, app)
            progress.then = name(release)
        pairs({key: kept.get(key, "") for key in values})
        see_through(api, app, release)


def _unset(typed: Typed) -> None:
    app = app_for(typed)
    names = ", ".join(paint(key, "green", sys.stderr) for key in typed.args)
    with PlatformApi() as api:
        with Progress(f"Unsetting {names} and restarting {hexagon(app)}") as progress:
            api.patch(path_of("apps", app, "config-vars"), dict.fromkeys(typed.args))
            release = made_by_change(api, app)
            progress.then = name(release)
        see_through(api, app, release)


SHELL = Flag("shell", "s", "", "print as KEY=value for a shell or a .env file")
TOPIC = {
    "config": Command(_index, "", (*AN_APP, SHELL, JSON)),
    "config:get": Command(_get, "KEY...", (*AN_APP, SHELL, JSON), least=1, most=None, examples=("config:get RAILS_ENV",)),
    "config:set": Command(_set, "KEY=VALUE...", AN_APP, least=1, most=None, examples=("config:set RAILS_ENV=staging",)),
    "config:unset": Command(_unset, "KEY...", AN_APP, least=1, most=None, examples=("config:unset RAILS_ENV",)),
}
