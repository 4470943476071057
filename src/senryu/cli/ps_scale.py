"""ps:scale, ps:type.

Source: https://devcenter.heroku.com/articles/scaling
"""

from __future__ import annotations

import re
import sys
from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import Progress, as_json, heading, hexagon, note, paint, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

CHANGE = re.compile(r"([\w-]+?)(?:=(\d+)|([+-]\d+))(?::([\w-]+))?", re.ASCII)


def change(word: str) -> dict[str, str]:
    """`web=2:standard-2x` or `worker+1` as the API takes it. Raises `Failure` when it is neither."""
    found = CHANGE.fullmatch(word)
    if not found:
        raise Failure(f"`{word}` is no scale", hint="For example: `web=2`, `worker+1` or `web=2:standard-2x`")
    kind, exact, relative, size = found.groups()
    return {"type": kind, "quantity": exact or relative} | ({"size": size} if size else {})


def _formation(api: PlatformApi, app: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sorted(api.pages(path_of("apps", app, "formation")), key=lambda entry: str(entry["type"]))
    if not found:
        raise Failure(f"No process types on {app}", hint="Push code with a Procfile to add some", status=API)
    return found


def _scale(typed: Typed) -> None:
    app = app_for(typed)
    updates = [change(word) for word in typed.args]
    with PlatformApi() as api:
        if not updates:
            found = _formation(api, app)
            return as_json(found) if typed.on("json") else say(" ".join(f"{e['type']}={e['quantity']}:{e['size']}" for e in found))
        with Progress("Scaling dynos") as progress:
            after: list[dict[str, Any]] = api.patch(path_of("apps", app, "formation"), {"updates": updates})
            touched = {update["type"] for update in updates}
            now = (f"{paint(e['type'], 'green', sys.stderr)} at {e['quantity']}:{e['size']}" for e in after if e["type"] in touched)
            progress.then = f"now running {', '.join(now)}"
    return None


def _type(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        if not typed.args:
            return _show(app, _formation(api, app))
        if len(typed.args) == 1 and "=" not in typed.args[0]:
            updates = [{"type": entry["type"], "size": typed.args[0]} for entry in _formation(api, app)]
        else:
            updates = [_size(word) for word in typed.args]
        with Progress(f"Scaling dynos on {hexagon(app)}"):
            api.patch(path_of("apps", app, "formation"), {"updates": updates})
        _show(app, _formation(api, app))
    return None


def _size(word: str) -> dict[str, str]:
    kind, _, size = word.partition("=")
    if not kind or not size or size.isdigit():
        raise Failure(f"`{word}` is no dyno size", hint="Write `TYPE=SIZE`, for example `web=standard-2x`; `ps:scale` changes the count")
    return {"type": kind, "size": size}


def _show(app: str, formation: list[dict[str, Any]]) -> None:
    heading(f"{hexagon(app, sys.stdout)} Process Types")
    table(((e["type"], e["size"], e["quantity"]) for e in formation), ("Type", "Size", "Qty"))
    if not any(entry["quantity"] for entry in formation):
        note("None of them runs; `senryu ps:scale web=1` starts one")


TOPIC = {
    "ps:scale": Command(
        _scale, "[TYPE=COUNT[:SIZE]...]", (*AN_APP, JSON), most=None,
        examples=("ps:scale web=3:standard-2x worker+1", "ps:scale"),
    ),
    "ps:type": Command(_type, "[SIZE | TYPE=SIZE...]", AN_APP, most=None, examples=("ps:type web=standard-2x", "ps:type")),
}  # fmt: skip
