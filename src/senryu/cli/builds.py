"""builds, builds:info, builds:cancel.

Source: https://devcenter.heroku.com/articles/build-and-release-using-the-api
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import Progress, ago, as_json, heading, hexagon, note, pairs, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _newest(api: PlatformApi, app: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(path_of("apps", app, "builds"), range=f"created_at ..; order=desc,max={count}")
    return sorted(found, key=lambda build: str(build["created_at"]), reverse=True)[:count]


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _newest(api, app, typed.number("num", 15))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return note(f"{hexagon(app)} has no builds")
    heading(f"{hexagon(app, sys.stdout)} Builds")
    return table((b["id"], b["status"], _commit(b), b["user"]["email"], ago(b["created_at"])) for b in found)


def _commit(build: dict[str, Any]) -> str:
    return str((build.get("source_blob") or {}).get("version") or "")[:12]


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        build = api.get(path_of("apps", app, "builds", typed.first())) if typed.args else _latest(api, app)
        release = build.get("release")
        version = api.get(path_of("apps", app, "releases", release["id"]))["version"] if release else None
    if typed.on("json"):
        return as_json(build)
    heading(f"Build {build['id']}")
    return pairs({
        "By": build["user"]["email"],
        "Buildpacks": [pack.get("name") or pack["url"] for pack in build.get("buildpacks") or []],
        "Commit": _commit(build) or None,
        "Release": f"v{version}" if version else None,
        "Status": build["status"],
        "When": ago(build["created_at"]),
    })  # fmt: skip


def _latest(api: PlatformApi, app: str) -> dict[str, Any]:
    found = _newest(api, app, 1)
    if not found:
        raise Failure(f"{app} has no builds", hint="Push its code with `git push senryu main`", status=API)
    return found[0]


def _cancel(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        build = api.get(path_of("apps", app, "builds", typed.first())) if typed.args else _latest(api, app)
        if build["status"] != "pending":
            raise Failure(f"The build {build['id']} is {build['status']}, so there is nothing to cancel", status=API)
        with Progress(f"Cancelling build {build['id']} on {hexagon(app)}"):
            api.delete(path_of("apps", app, "builds", build["id"]))


TOPIC = {
    "builds": Command(_index, "", (*AN_APP, JSON, Flag("num", "n", "NUM", "how many (15)"))),
    "builds:info": Command(_info, "[BUILD]", (*AN_APP, JSON), most=1),
    "builds:cancel": Command(_cancel, "[BUILD]", AN_APP, most=1),
}
