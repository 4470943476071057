"""data:usage: what databases and backups take on the platform's disk.

Source: docs/backups.md
"""

from __future__ import annotations

from senryu.cli.arguments import JSON, Command, Typed
from senryu.cli.output import as_json, pairs, say, table
from senryu.cli.pg_backups import size
from senryu.cli.platform_api import PlatformApi


def _usage(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.get("/senryu/data-usage")
    if typed.on("json"):
        return as_json(found)
    rows = [
        (each["name"], each["app"] or "", each["plan"], size(each["bytes"] or 0), size(each["plan_bytes"]), size(each["backup_bytes"]))
        for each in sorted(found["databases"], key=lambda each: -(each["bytes"] or 0))
    ]
    if not rows:
        say("There are no databases.")
    else:
        table(rows, ("Database", "App", "Plan", "Size", "May have", "Backups"))
    say()
    gone, standby = size(found["backup_bytes_of_gone"]), size(found["standby_bytes"])
    return pairs({"Backups of databases that are gone": gone, "History": size(found["history_bytes"]), "Followers (one copy)": standby})


TOPIC = {"data:usage": Command(_usage, "", (JSON,))}
