"""scheduler, scheduler:add, scheduler:update, scheduler:remove: Heroku has a page in the browser for these.

Source: https://devcenter.heroku.com/articles/scheduler
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, hexagon, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_EVERY = {
    "10m": "10 minutes",
    "10min": "10 minutes",
    "10-minutes": "10 minutes",
    "10": "10 minutes",
    "1h": "hour",
    "hourly": "hour",
    "1d": "day",
    "daily": "day",
}
_SHORT = 8


def when(job: dict[str, Any]) -> str:
    """`every 10 minutes`, `every hour at :05`, `every day at 03:30 UTC`."""
    at = f" at {job['at']}" if job["at"] else ""
    return f"every {job['every']}{at}{' UTC' if job['every'] == 'day' else ''}"


def _moment(at: str | None) -> str:
    return at[:16].replace("T", " ") if at else ""


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        jobs = api.pages(path_of("apps", app, "scheduler", "jobs"))
    if typed.on("json"):
        return as_json(jobs)
    if not jobs:
        return say(f"{hexagon(app, sys.stdout)} has no scheduled jobs.")
    rows = [
        (job["id"][:_SHORT], job["command"], when(job), job["size"] or "", _moment(job["next_due_at"]), job["last_outcome"] or "")
        for job in jobs
    ]
    return table(rows, ("Id", "Command", "Runs", "Size", "Next (UTC)", "Last time"))


def _fields(typed: Typed) -> dict[str, Any]:
    every = typed.text("every")
    given = {"every": _EVERY.get(every or "", every), "at": typed.text("at"), "size": typed.text("size")}
    return {name: value for name, value in given.items() if value is not None}


def _add(typed: Typed) -> None:
    app, command = app_for(typed), " ".join(typed.args)
    with PlatformApi() as api:
        with Progress(f"Scheduling `{command}` on {hexagon(app)}"):
            job = api.post(path_of("apps", app, "scheduler", "jobs"), {"command": command, "every": "10 minutes", **_fields(typed)})
        say(f"{job['id'][:_SHORT]} runs {when(job)}, next at {_moment(job['next_due_at'])} UTC")


def _found(api: PlatformApi, app: str, id: str) -> dict[str, Any]:
    """The job whose id begins so. Raises `Failure` for none or several."""
    jobs = [job for job in api.pages(path_of("apps", app, "scheduler", "jobs")) if job["id"].startswith(id.lower())]
    if len(jobs) != 1:
        raise Failure(f"`{id}` is the beginning of {len(jobs)} ids of jobs", hint=f"`senryu scheduler -a {app}` lists them")
    found: dict[str, Any] = jobs[0]
    return found


def _update(typed: Typed) -> None:
    app = app_for(typed)
    changes = _fields(typed) | ({"command": typed.text("command")} if typed.text("command") is not None else {})
    if not changes:
        raise Failure("Nothing to change was said", hint="Use --command, --every, --at or --size")
    with PlatformApi() as api:
        job = _found(api, app, typed.first())
        with Progress(f"Updating `{job['command']}` on {hexagon(app)}"):
            job = api.patch(path_of("apps", app, "scheduler", "jobs", job["id"]), changes)
        say(f"{job['id'][:_SHORT]} runs {when(job)}, next at {_moment(job['next_due_at'])} UTC")


def _remove(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        job = _found(api, app, typed.first())
        with Progress(f"Removing `{job['command']}` from {hexagon(app)}"):
            api.delete(path_of("apps", app, "scheduler", "jobs", job["id"]))


_TIMES = (
    Flag("every", "", "TIME", "10m, hour or day"),
    Flag("at", "", "TIME", "minute of the hour (:05) or time of the day in UTC (03:30)"),
    Flag("size", "s", "SIZE", "dyno size"),
)
TOPIC = {
    "scheduler": Command(_index, "", (*AN_APP, JSON)),
    "scheduler:add": Command(
        _add,
        "COMMAND",
        (*AN_APP, *_TIMES),
        least=1,
        most=None,
        examples=("scheduler:add 'rake tidy' --every day --at 03:30",),
    ),
    "scheduler:update": Command(
        _update,
        "ID",
        (*AN_APP, *_TIMES, Flag("command", "", "COMMAND", "what to run")),
        least=1,
        most=1,
        examples=("scheduler:update 3f2a9c1d --every hour --at :05",),
    ),
    "scheduler:remove": Command(_remove, "ID", AN_APP, least=1, most=1, examples=("scheduler:remove 3f2a9c1d",)),
}
