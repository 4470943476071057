"""pg, pg:wait, :reset, :unfollow, :promote, :killall, :stats-reset, :diagnose, :settings, :upgrade.

Source: https://devcenter.heroku.com/articles/managing-heroku-postgres-using-cli
"""

from __future__ import annotations

import time
from typing import Any

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, confirm, heading, hexagon, note, pairs, say, table
from senryu.cli.pg_database import attachment
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_WAIT_S = 600.0
_POLL_S = 2.0


def _path(found: dict[str, Any], *rest: str) -> str:
    return path_of("client", "v11", "databases", found["addon"]["id"], *rest)


def _all(api: PlatformApi, app: str, name: str) -> list[dict[str, Any]]:
    """The attachment of one database, or one of each."""
    if name:
        return [attachment(api, app, name)]
    found: dict[str, dict[str, Any]] = {}
    for each in api.pages(path_of("apps", app, "addon-attachments")):
        if each["addon"]["plan"]["name"].startswith("heroku-postgresql:"):
            found.setdefault(each["addon"]["id"], {**each, "names": []})["names"] += each["config_vars"]
    return sorted(found.values(), key=lambda each: ("DATABASE_URL" not in each["names"], each["names"]))


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _all(api, app, typed.first())
        told = [(each, api.get(_path(each))) for each in found]
    if typed.on("json"):
        return as_json([{key: value for key, value in info.items() if key not in ("resource_url", "following")} for _, info in told])
    if not found:
        return say(f"{hexagon(app)} has no databases. Make one with `senryu addons:create heroku-postgresql`.")
    for each, info in told:
        heading(", ".join(sorted(each.get("names", each["config_vars"]))))
        pairs({**{row["name"]: ", ".join(row["values"]) for row in info["info"]}, "Add-on": each["addon"]["name"]})
        say()
    return None


def _wait(typed: Typed) -> None:
    deadline = time.monotonic() + _WAIT_S
    with PlatformApi() as api:
        for each in _all(api, app_for(typed), typed.first()):
            with Progress(f"Waiting for {each['addon']['name']}"):
                while (status := api.get(_path(each, "wait_status")))["waiting?"]:
                    if time.monotonic() > deadline:
                        raise Failure(f"{each['addon']['name']} is still {status['message']}", hint="Look again with `senryu pg:info`")
                    time.sleep(_POLL_S)


def _reset(typed: Typed) -> None:
    app = app_for(typed)
    extensions = [part.strip().lower() for part in (typed.text("extensions") or "").split(",") if part.strip()]
    with PlatformApi() as api:
        found = attachment(api, app, typed.first())
        name = found["addon"]["name"]
        confirm(app, typed.text("confirm"), f"This will delete all data in {name}")
        with Progress(f"Resetting {name}"):
            api.put(_path(found, "reset"), {"extensions": extensions})


def _unfollow(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = attachment(api, app, typed.first())
        name, info = found["addon"]["name"], api.get(_path(found))
        if not info["following"]:
            raise Failure(f"{name} does not follow another database")
        leader = info["leader"]
        confirm(app, typed.text("confirm"), f"{name} will be writable, stop following {leader}, and have another address")
        with Progress(f"{name} stops following {leader}"):
            said = api.put(_path(found, "unfollow"), {})
        say(said["message"])


def _promote(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = attachment(api, app, typed.first())
        addon, wanted = found["addon"], typed.text("as") or "DATABASE"
        attached = api.pages(path_of("apps", app, "addon-attachments"))
        current = next((each for each in attached if each["name"] == wanted), None)
        if current and (current["addon"]["id"], current["namespace"]) == (addon["id"], found["namespace"]):
            raise Failure(f"{addon['name']} is {wanted}_URL of {app} already")
        if not typed.on("force") and api.get(_path(found, "wait_status"))["waiting?"]:
            raise Failure(f"{addon['name']} is not ready yet", hint="Wait with `senryu pg:wait`, or use --force")
        body = {"app": {"name": app}, "confirm": app}
        if current and not _has_other_name(current, attached):
            with Progress(f"Keeping another name for {current['addon']['name']}") as progress:
                former = {"addon": {"name": current["addon"]["name"]}, "namespace": current["namespace"]}
                kept = api.post("/addon-attachments", {**body, **former})
                progress.done = f"{kept['name']}_URL"
        with Progress(f"Promoting {addon['name']} to {wanted}_URL on {hexagon(app)}"):
            api.post("/addon-attachments", {**body, "addon": {"name": addon["name"]}, "name": wanted, "namespace": found["namespace"]})


def _has_other_name(current: dict[str, Any], attached: list[dict[str, Any]]) -> bool:
    return any(
        (each["addon"]["id"], each["namespace"]) == (current["addon"]["id"], current["namespace"]) and each["id"] != current["id"]
        for each in attached
    )


def _killall(typed: Typed) -> None:
    with PlatformApi() as api:
        found = attachment(api, app_for(typed), typed.first())
        with Progress("Terminating connections for all credentials"):
            api.post(_path(found, "connection_reset"))


def _reset_statistics(typed: Typed) -> None:
    with PlatformApi() as api:
        say(api.put(_path(attachment(api, app_for(typed), typed.first()), "stats_reset"), {})["message"])


def _diagnose(typed: Typed) -> None:
    app, name = app_for(typed), typed.first()
    with PlatformApi() as api:
        if len(name) == 36 and name.count("-") == 4:
            report = api.get(path_of("reports", name))
        else:
            found = attachment(api, app, name)
            report = api.post("/reports", {"app": found["app"]["name"], "database": found["name"]})
    if typed.on("json"):
        return as_json(report)
    say(f"Report {report['id']} for {report['app']}::{report['database']} of {report['created_at']}\n")
    order = ("red", "yellow", "green")
    for check in sorted(report["checks"], key=lambda each: order.index(each["status"])):
        say(f"{check['status'].upper()}: {check['name']}")
        if check["results"]:
            head = list(check["results"][0])
            table([[row[key] for key in head] for row in check["results"]], [key.capitalize() for key in head])
    return None


def _settings(typed: Typed) -> None:
    app, words = app_for(typed), list(typed.args)
    name = words.pop(0) if words and ("=" not in words[0]) and not words[0].replace("_", "-").startswith(("log-", "track-")) else ""
    with PlatformApi() as api:
        found = attachment(api, app, name)
        path = path_of("postgres", "v0", "databases", found["addon"]["id"], "config")
        changes = {key.replace("-", "_"): value for key, equals, value in (word.partition("=") for word in words) if equals}
        settings = api.patch(path, changes) if changes else api.get(path)
    heading(found["addon"]["name"])
    pairs({key.replace("_", "-"): str(each["value"]).lower() for key, each in sorted(settings.items())})


def _upgrade(typed: Typed) -> None:
    with PlatformApi() as api:
        found = attachment(api, app_for(typed), typed.first())
        note(api.post(_path(found, "upgrade", "run"), {})["message"])


TOPIC = {
    "pg": Command(_info, "[DATABASE]", (*AN_APP, JSON), most=1, examples=("pg",)),
    "pg:info": Command(_info, "[DATABASE]", (*AN_APP, JSON), most=1, examples=("pg:info",)),
    "pg:wait": Command(_wait, "[DATABASE]", AN_APP, most=1, examples=("pg:wait",)),
    "pg:reset": Command(
        _reset,
        "[DATABASE]",
        (*AN_APP, CONFIRM, Flag("extensions", "e", "NAMES", "extensions to make afterwards, separated by commas")),
        most=1,
        examples=("pg:reset DATABASE --confirm myapp",),
    ),
    "pg:promote": Command(
        _promote,
        "DATABASE",
        (*AN_APP, Flag("as", "", "NAME", "attachment to take over (DATABASE)"), Flag("force", "f", "", "also one that is not ready")),
        least=1,
        most=1,
        examples=("pg:promote HEROKU_POSTGRESQL_TEAL",),
    ),
    "pg:unfollow": Command(
        _unfollow, "DATABASE", (*AN_APP, CONFIRM), least=1, most=1, examples=("pg:unfollow HEROKU_POSTGRESQL_TEAL --confirm myapp",)
    ),
    "pg:killall": Command(_killall, "[DATABASE]", AN_APP, most=1, examples=("pg:killall",)),
    "pg:stats-reset": Command(_reset_statistics, "[DATABASE]", AN_APP, most=1, examples=("pg:stats-reset",)),
    "pg:diagnose": Command(_diagnose, "[DATABASE|REPORT]", (*AN_APP, JSON), most=1, examples=("pg:diagnose",)),
    "pg:settings": Command(_settings, "[DATABASE] [NAME=VALUE...]", AN_APP, most=10, examples=("pg:settings track-functions=pl",)),
    "pg:upgrade": Command(_upgrade, "[DATABASE]", AN_APP, most=1, examples=("pg:upgrade",)),
}
