"""regions."""

from __future__ import annotations

from senryu.cli.arguments import JSON, Command, Typed
from senryu.cli.output import as_json, table
from senryu.cli.platform_api import PlatformApi


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.pages("/regions")
    if typed.on("json"):
        return as_json(found)
    table(((region["name"], region.get("description")) for region in found), ("ID", "Location"))
    return None


TOPIC = {"regions": Command(_index, "", (JSON,))}
