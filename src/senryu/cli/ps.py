"""ps, ps:restart, ps:stop, ps:wait.

Source: https://devcenter.heroku.com/articles/dynos
"""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import Progress, ago, as_json, heading, hexagon, note, paint, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.releases import newest
from senryu.cli.remotes import app_for

STATES = {"up": "green", "starting": "yellow", "crashed": "red", "idle": "blue", "down": "red"}
WAIT_S = 3600.0
PAID = {"Basic", "Standard-1X", "Standard-2X", "Performance-M", "Performance-L"}  # saves a call where no hours can be used up


def _order(dyno: dict[str, Any]) -> tuple[str, int, str]:
    """`web.2` before `web.10`."""
    number = dyno["name"].rpartition(".")[2]
    return dyno["type"], int(number) if number.isdigit() else 0, dyno["name"]


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        dynos = sorted(api.pages(path_of("apps", app, "dynos")), key=_order)
        quota = [] if typed.on("json") else quota_lines(api, app, {dyno["size"] for dyno in dynos})
    if typed.args:
        known = sorted({dyno["type"] for dyno in dynos})
        absent = [kind for kind in typed.args if kind not in known]
        if absent:
            raise Failure(f"No {absent[0]} dynos on {app}", hint=f"It has: {', '.join(known) or 'no dynos'}", status=API)
        dynos = [dyno for dyno in dynos if dyno["type"] in typed.args]
    if typed.on("json"):
        return as_json(dynos)
    for line in quota:
        say(line)
    if not dynos:
        return note(f"No dynos on {hexagon(app)}")
    _one_off([dyno for dyno in dynos if dyno["type"] == "run"])
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for dyno in dynos:
        if dyno["type"] != "run":
            groups.setdefault((dyno["type"], dyno["command"]), []).append(dyno)
    for (kind, command), group in groups.items():
        heading(f"{paint(kind, 'green')} ({paint(group[0]['size'], 'cyan')}): {command} ({len(group)})")
        for dyno in group:
            say(f"{dyno['name']}: {_state(dyno)} {ago(dyno['updated_at'])}")
        say()
    return None


def quota_lines(api: PlatformApi, app: str, sizes: set[str]) -> list[str]:
    """What is left of the month's hours, as Heroku's `ps` says it; nothing for dynos that are paid for one by one, or by somebody else."""
    if not sizes - PAID:
        return []
    found, me = api.get(path_of("apps", app)), api.get("/account")
    if found["owner"]["id"] != me["id"] or found["process_tier"] == "production":
        return []
    quota = api.get(f"{path_of('accounts', me['id'], 'actions', 'get-quota')}?size={quote(found['process_tier'])}")
    all_s, left_s = quota["account_quota"], max(0, quota["account_quota"] - quota["quota_used"])
    app_s = next((each["quota_used"] for each in quota["apps"] if each["app_uuid"] == found["id"]), 0)
    name = quota["size"]
    return [
        f"{name} dyno hours quota remaining this month: {_hours(left_s)} ({left_s * 100 // all_s if all_s else 0}%)",
        f"{name} dyno usage for this app: {_hours(app_s)} ({app_s * 100 // all_s if all_s else 0}%)",
        "",
    ]


def _hours(seconds: int) -> str:
    """`12h 5m`."""
    return f"{seconds // 3600}h {seconds // 60 % 60}m"


def _one_off(dynos: list[dict[str, Any]]) -> None:
    if not dynos:
        return
    heading(f"{paint('run', 'green')}: one-off processes ({len(dynos)})")
    for dyno in dynos:
        say(f"{dyno['name']} ({dyno['size']}): {_state(dyno)} {ago(dyno['updated_at'])}: {dyno['command']}")
    say()


def _state(dyno: dict[str, Any]) -> str:
    state = dyno["state"]
    return paint(state, STATES[state]) if state in STATES else str(state)


def _target(typed: Typed) -> tuple[str | None, str | None]:
    """(dyno, process type): one of them, or neither for all."""
    named, kind = typed.text("dyno-name") or typed.first() or None, typed.text("process-type")
    if named and kind:
        raise Failure(f"Name a dyno or a process type, not both (`{named}`, `{kind}`)")
    if named and "." not in named:
        return None, named
    if named and not re.fullmatch(r"[\w-]+\.\d+", named):
        raise Failure(f"`{named}` is no dyno", hint="`senryu ps` lists them, for example `web.1`")
    return named, kind


def _restart(typed: Typed) -> None:
    app = app_for(typed)
    dyno, kind = _target(typed)
    what = f"dyno {dyno}" if dyno else f"all {kind} dynos" if kind else "all dynos"
    path = ("dynos", dyno) if dyno else ("formations", kind) if kind else ("dynos",)
    with PlatformApi() as api, Progress(f"Restarting {what} on {hexagon(app)}"):
        api.delete(path_of("apps", app, *path))


def _stop(typed: Typed) -> None:
    app = app_for(typed)
    dyno, kind = _target(typed)
    if dyno:
        what, path = f"dyno {dyno}", path_of("apps", app, "dynos", dyno, "actions", "stop")
    elif kind:
        what, path = f"all {kind} dynos", path_of("apps", app, "formations", kind, "actions", "stop")
    else:
        raise Failure("Which dyno is to be stopped?", hint="For example: `senryu ps:stop web.1`")
    with PlatformApi() as api, Progress(f"Stopping {what} on {hexagon(app)}"):
        api.post(path)


def _wait(typed: Typed) -> None:
    app, interval_s, kind = app_for(typed), typed.number("wait-interval", 10), typed.text("type")
    until = time.monotonic() + WAIT_S
    with PlatformApi() as api:
        found = [release for release in newest(api, app, 20) if release["status"] in ("succeeded", "pending")]
        if not found:
            return note(f"App {app} has no releases")
        version = found[0]["version"]
        skipped = {"release"} if typed.on("with-run") else {"release", "run"}
        with Progress(f"Waiting for every dyno to be running v{version}") as progress:
            while True:
                dynos = [d for d in api.pages(path_of("apps", app, "dynos")) if d["type"] not in skipped and kind in (None, d["type"])]
                ready = [dyno for dyno in dynos if dyno["state"] == "up" and dyno["release"]["version"] >= version]
                if len(ready) == len(dynos):
                    progress.then = f"{len(ready)} / {len(dynos)}"
                    return None
                if time.monotonic() > until:
                    raise Failure(f"Only {len(ready)} of {len(dynos)} dynos of {app} run v{version} after an hour", status=API)
                time.sleep(interval_s)


NAMED = (Flag("dyno-name", "d", "DYNO", "one dyno, such as web.1"), Flag("process-type", "p", "TYPE", "all dynos of a process type"))
TOPIC = {
    "ps": Command(_index, "[TYPE...]", (*AN_APP, JSON), most=None, examples=("ps", "ps web")),
    "ps:restart": Command(
        _restart, "[DYNO]", (*AN_APP, *NAMED), most=1, examples=("ps:restart", "ps:restart web.1", "ps:restart -p worker")
    ),
    "ps:stop": Command(_stop, "[DYNO]", (*AN_APP, *NAMED), most=1, examples=("ps:stop web.1", "ps:stop -p worker")),
    "ps:wait": Command(
        _wait, "",
        (
            *AN_APP,
            Flag("type", "t", "TYPE", "only dynos of this process type"),
            Flag("wait-interval", "w", "SECONDS", "time between two looks (10)"),
            Flag("with-run", "R", "", "wait for one-off dynos, too"),
        ),
    ),
}  # fmt: skip
