"""objects, objects:info. Ours: what buckets hold."""

from __future__ import annotations

from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import as_json, heading, pairs, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_SERVICES = ("senryu-objects", "bucketeer")
_GB = 1024**3


def _size(count: int) -> str:
    return f"{count / _GB:,.2f} GB"


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        found: list[dict[str, Any]] = api.get(path_of("senryu", "objects"))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say("This platform has no buckets.")
    rows = [(row["add_on"] or "-", row["app"] or "-", row["plan"] or "-", _size(row["bytes"]), _size(row["plan_bytes"])) for row in found]
    return table(rows, ("ADD-ON", "APP", "PLAN", "USED", "PLAN HAS"))


def _info(typed: Typed) -> None:
    app, wanted = app_for(typed), typed.first()
    with PlatformApi() as api:
        add_ons = [each for each in api.pages(path_of("apps", app, "addons")) if each["addon_service"]["name"] in _SERVICES]
        chosen = [each for each in add_ons if not wanted or wanted in (each["name"], each["id"])]
        found = [api.get(path_of("addons", each["id"], "objects")) for each in chosen]
    if typed.on("json"):
        return as_json(found)
    if not found:
        raise Failure(f"{app} has no such bucket", hint="`senryu addons` lists add-ons, `senryu addons:create senryu-objects` makes one")
    for row in found:
        heading(row["add_on"])
        pairs({"Bucket": row["bucket"], "Plan": row["plan"], "Used": f"{_size(row['bytes'])} of {_size(row['plan_bytes'])}"})
    return None


TOPIC = {
    "objects": Command(_index, "", (JSON,)),
    "objects:info": Command(_info, "[ADD-ON]", (*AN_APP, JSON), most=1),
}
