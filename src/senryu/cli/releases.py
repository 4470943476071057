"""releases, releases:info, releases:output, releases:rollback.

Source: https://devcenter.heroku.com/articles/releases
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import Progress, ago, as_json, heading, hexagon, note, paint, pairs, say, table, warn
from senryu.cli.output_stream import follow
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

STATUS = {"pending": "release command executing", "failed": "release failed", "expired": "release expired"}
STEPS = {
    "source_s": "take the source from git",
    "build_start_s": "start the build's container",
    "compile_s": "detect and compile",
    "pack_s": "pack the slug",
    "store_s": "store the slug",
    "database_s": "make the first database",
    "release_s": "make the release",
    "start_s": "start the dynos",
    "bind_s": "bind $PORT",
    "route_s": "route to them",
    "total_s": "from source to serving",
}
COLOURS = {"pending": "yellow", "failed": "red", "expired": "red"}


def newest(api: PlatformApi, app: str, count: int) -> list[dict[str, Any]]:
    """The newest releases, newest first."""
    found: list[dict[str, Any]] = api.get(path_of("apps", app, "releases"), range=f"version ..; order=desc,max={count}")
    return found[:count]


def made_by_change(api: PlatformApi, app: str) -> dict[str, Any]:
    """The release that a change of the app has just made; empty when there is none."""
    found = newest(api, app, 1)
    return found[0] if found else {}


def name(release: dict[str, Any]) -> str:
    """`v7`; empty for no release."""
    return f"v{release['version']}" if release else ""


def see_through(api: PlatformApi, app: str, release: dict[str, Any], *, as_answer: bool = False) -> None:
    """Shows the output of the release's command, if it has one under way. Raises `Failure` when it fails."""
    if release.get("output_stream_url") and release.get("status") == "pending":
        note("Running release command...")
        follow(release["output_stream_url"], as_answer=as_answer)
        release = api.get(path_of("apps", app, "releases", str(release["version"])))
    if release.get("status") == "failed":
        why = release.get("failure") or "its release command failed"
        raise Failure(f"{name(release)} failed: {why}; {app} keeps the release before it", status=API)


def _find(api: PlatformApi, app: str, named: str) -> dict[str, Any]:
    """The release that was named (`v7` or `7`), else the newest."""
    if named:
        release: dict[str, Any] = api.get(path_of("apps", app, "releases", _number(named)))
        return release
    found = newest(api, app, 1)
    if not found:
        raise Failure(f"{app} has no release yet", hint="Push its code with `git push senryu main`", status=API)
    return found[0]


def _number(named: str) -> str:
    number = named.removeprefix("v")
    if not (number.isascii() and number.isdigit()) and len(named) != 36:
        raise Failure(f"`{named}` is no release", hint="Name it as `senryu releases` lists it, for example `v7`")
    return number if number.isdigit() else named


def _index(typed: Typed) -> None:
    app, count = app_for(typed), typed.number("num", 15)
    with PlatformApi() as api:
        found = newest(api, app, count)
    if typed.on("json"):
        return as_json(found)
    if not found:
        return note(f"{app} has no releases")
    current = next((release["version"] for release in found if release.get("current")), None)
    heading(f"{hexagon(app, sys.stdout)} Releases{f' - Current: v{current}' if current else ''}")
    table((f"v{release['version']}", _described(release), release["user"]["email"], ago(release["created_at"])) for release in found)
    return None


def _described(release: dict[str, Any]) -> str:
    status = release.get("status", "succeeded")
    return f"{release['description']}{f' ({STATUS[status]})' if status in STATUS else ''}"


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        release = _find(api, app, typed.first())
        config: dict[str, str] = api.get(path_of("apps", app, "releases", str(release["version"]), "config-vars")) or {}
    if typed.on("json"):
        return as_json(release)
    if typed.on("timing"):
        return _timing(release)
    if not typed.on("shell"):
        heading(f"Release v{release['version']}")
        pairs({
            "Add-ons": release.get("addon_plan_names") or None,
            "By": release["user"]["email"],
            "Change": release["description"],
            "Status": None if release.get("status") not in STATUS else paint(STATUS[release["status"]], COLOURS[release["status"]]),
            "When": ago(release["created_at"]),
        })  # fmt: skip
        say()
        heading(f"v{release['version']} Config vars")
        return pairs(dict(sorted(config.items())))
    from shlex import quote

    for key, value in sorted(config.items()):
        say(f"{key}={quote(value)}")
    return None


def _timing(release: dict[str, Any]) -> None:
    taken: dict[str, float] = release.get("timing") or {}
    if not taken:
        return warn(f"Release v{release['version']} has no timing: only deploys that reached their end have one")
    heading(f"Release v{release['version']} Timing")
    known = [(words, taken[step]) for step, words in STEPS.items() if step in taken]
    return table((words, f"{seconds * 1000:,.0f} ms".rjust(9)) for words, seconds in known)


def _output(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        release = _find(api, app, typed.first())
    if not release.get("output_stream_url"):
        return warn(f"Release v{release['version']} has no release command output")
    return follow(release["output_stream_url"])


def _rollback(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        target = _find(api, app, typed.first()) if typed.args else _before(newest(api, app, 10), app)
        with Progress(f"Rolling back {hexagon(app)} to v{target['version']}") as progress:
            made = api.post(path_of("apps", app, "releases"), {"release": target["id"]})
            progress.then = f"v{made['version']}"
        warn("Rollback affects code and config vars; it doesn't add or remove addons")
        see_through(api, app, made, as_answer=True)


def _before(found: list[dict[str, Any]], app: str) -> dict[str, Any]:
    eligible = [release for release in found if release.get("eligible_for_rollback") and not release.get("current")]
    current = next((release["version"] for release in found if release.get("current")), float("inf"))
    earlier = next((release for release in eligible if release["version"] < current), None)
    if earlier is None:
        raise Failure(f"{app} has no earlier release to go back to", hint="`senryu releases` lists them", status=API)
    return earlier


SHELL = Flag("shell", "s", "", "print the config vars as KEY=value")
TIMING = Flag("timing", "", "", "show where the time of the deploy went")
TOPIC = {
    "releases": Command(_index, "", (*AN_APP, JSON, Flag("num", "n", "NUM", "how many (15)"))),
    "releases:info": Command(_info, "[RELEASE]", (*AN_APP, JSON, SHELL, TIMING), most=1, examples=("releases:info v10",)),
    "releases:output": Command(_output, "[RELEASE]", AN_APP, most=1, examples=("releases:output v10",)),
    "releases:rollback": Command(_rollback, "[RELEASE]", AN_APP, most=1, examples=("rollback", "rollback v10")),
}
