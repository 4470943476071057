"""apps:info."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import Refusal
from senryu.cli.output import as_json, heading, hexagon, pairs, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def size(bytes_: int | None) -> str | None:
    """A size for people; Heroku's 1024 steps."""
    if bytes_ is None:
        return None
    value = float(bytes_)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.2f} GiB"


def _list(api: PlatformApi, app: str, part: str) -> list[Any]:
    """A list that an account may not be allowed to see, or a platform not have."""
    try:
        return api.pages(path_of("apps", app, part))
    except Refusal as refusal:
        if refusal.code in (403, 404):
            return []
        raise


def _info(typed: Typed) -> None:
    name = typed.first() or app_for(typed)
    with PlatformApi() as api:
        app = api.get(path_of("apps", name))
        addons, dynos, people = (_list(api, name, part) for part in ("addons", "dynos", "collaborators"))
        git_url = api.url.git(app["name"])
    if typed.on("json"):
        return as_json({"addons": addons, "app": app, "collaborators": people, "dynos": dynos})
    counts = dict(Counter(dyno["type"] for dyno in dynos))
    others = sorted(person["user"]["email"] for person in people if person["user"]["email"] != app["owner"]["email"])
    if typed.on("shell"):
        return _shell(app, git_url, counts, [addon["plan"]["name"] for addon in addons], others)
    heading(hexagon(app["name"], sys.stdout))
    pairs({
        "Addons": [addon["plan"]["name"] for addon in addons],
        "Auto Cert Mgmt": str(bool(app.get("acm"))).lower(),
        "Collaborators": others,
        "Dynos": ", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())) or None,
        "Git URL": git_url,
        "Maintenance": "on" if app.get("maintenance") else None,
        "Owner": app["owner"]["email"],
        "Region": app["region"]["name"],
        "Repo Size": size(app.get("repo_size")),
        "Slug Size": size(app.get("slug_size")),
        "Stack": app["stack"]["name"] + _next_stack(app),
        "Web URL": app.get("web_url"),
    })  # fmt: skip
    return None


def _next_stack(app: dict[str, Any]) -> str:
    following = (app.get("build_stack") or app["stack"])["name"]
    return f" (next build will use {following})" if following != app["stack"]["name"] else ""


def _shell(app: dict[str, Any], git_url: str, dynos: dict[str, int], plans: list[str], others: list[str]) -> None:
    from shlex import quote

    values = {
        "addons": ",".join(plans),
        "auto_cert_mgmt": str(bool(app.get("acm"))).lower(),
        "collaborators": ",".join(others),
        "create_status": app.get("create_status", ""),
        "dynos": json.dumps(dynos),
        "git_url": git_url,
        "name": app["name"],
        "owner": app["owner"]["email"],
        "region": app["region"]["name"],
        "repo_size": size(app.get("repo_size")) or "",
        "slug_size": size(app.get("slug_size")) or "",
        "stack": app["stack"]["name"],
        "web_url": app.get("web_url") or "",
    }
    for key, value in values.items():
        say(f"{key}={quote(value) if value else ''}")


TOPIC = {
    "apps:info": Command(
        _info, "[APP]", (*AN_APP, JSON, Flag("shell", "s", "", "print as key=value")), most=1, examples=("info", "info -s")
    )
}
