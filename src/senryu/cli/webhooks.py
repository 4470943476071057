"""webhooks, webhooks:add, :info, :update, :remove, :deliveries, :deliveries:info, :events, :events:info.

Source: https://devcenter.heroku.com/articles/app-webhooks
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import AN_APP, JSON, Command, Flag, Typed
from senryu.cli.drains import shown_url
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, heading, hexagon, note, pairs, say, table
from senryu.cli.platform_api import ACCEPT, PlatformApi, path_of
from senryu.cli.remotes import app_for

DELIVERIES_MAX = 1000


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = api.pages(path_of("apps", app, "webhooks"))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say(f"{hexagon(app, sys.stdout)} has no webhooks. Add one with `senryu webhooks:add`.")
    rows = [(one["id"], shown_url(one["url"]), ",".join(one["include"]), one["level"]) for one in found]
    return table(rows, ("Webhook ID", "URL", "Include", "Level"))


def _body(typed: Typed) -> dict[str, Any]:
    include = typed.text("include")
    given = {
        "include": [entity.strip() for entity in include.split(",")] if include else None,
        "level": typed.text("level"),
        "url": typed.text("url"),
        "secret": typed.text("secret"),
        "authorization": typed.text("authorization"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _add(typed: Typed) -> None:
    app, body = app_for(typed), _body(typed)
    missing = [f"--{name}" for name in ("include", "level", "url") if name not in body]
    if missing:
        raise Failure(f"A webhook needs {' and '.join(missing)}", hint="See `senryu webhooks:add --help`")
    with PlatformApi() as api, Progress(f"Adding webhook to {hexagon(app)}"):
        answer = api.call("POST", path_of("apps", app, "webhooks"), body, {"Accept": f"{ACCEPT}.webhooks"})
    secret = answer.headers.get("Heroku-Webhook-Secret")
    if secret:
        heading("Webhooks Signing Secret")
        say(secret)
        note("It is not shown again; deliveries are signed with it in the header Heroku-Webhook-Hmac-SHA256")


def _info(typed: Typed) -> None:
    with PlatformApi() as api:
        one = api.get(path_of("apps", app_for(typed), "webhooks", typed.first()))
    if typed.on("json"):
        return as_json(one)
    return pairs({
        "Webhook ID": one["id"],
        "URL": shown_url(one["url"]),
        "Include": ",".join(one["include"]),
        "Level": one["level"],
        "Created": one["created_at"],
        "Dropped": one.get("dropped") or None,
    })  # fmt: skip


def _update(typed: Typed) -> None:
    app, body = app_for(typed), _body(typed)
    if not body:
        raise Failure("Nothing to change was given", hint="For example: `senryu webhooks:update ID --level sync`")
    with PlatformApi() as api, Progress(f"Updating webhook {typed.first()} for {hexagon(app)}"):
        api.patch(path_of("apps", app, "webhooks", typed.first()), body)


def _remove(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api, Progress(f"Removing webhook {typed.first()} from {hexagon(app)}"):
        api.delete(path_of("apps", app, "webhooks", typed.first()))


def _deliveries(typed: Typed) -> None:
    app, status = app_for(typed), typed.text("status")
    path = path_of("apps", app, "webhook-deliveries") + (f"?eq[status]={status}" if status and status.isalpha() else "")
    with PlatformApi() as api:
        found = api.get(path, range=f"seq ..; order=desc,max={DELIVERIES_MAX}")
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say(f"{hexagon(app, sys.stdout)} has no deliveries")
    head = ("Delivery ID", "Created", "Status", "Include", "Level", "Attempts", "Code", "Error", "Next Attempt")
    return table([_row(one) for one in reversed(found)], head)


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    last = one.get("last_attempt") or {}
    ends = (last.get("code") or "", last.get("error_class") or "", one.get("next_attempt_at") or "")
    return (one["id"], one["created_at"], one["status"], one["event"]["include"], one["webhook"]["level"], one["num_attempts"], *ends)


def _delivery(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        one = api.get(path_of("apps", app, "webhook-deliveries", typed.first()))
        event = api.get(path_of("apps", app, "webhook-events", one["event"]["id"]))
    last = one.get("last_attempt") or {}
    pairs({
        "Delivery ID": one["id"],
        "Created": one["created_at"],
        "Event": one["event"]["id"],
        "Webhook": one["webhook"]["id"],
        "Status": one["status"],
        "Include": one["event"]["include"],
        "Level": one["webhook"]["level"],
        "Attempts": one["num_attempts"],
        "Code": last.get("code"),
        "Error": last.get("error_class"),
        "Next Attempt": one.get("next_attempt_at"),
    })  # fmt: skip
    heading("Event Payload")
    as_json(event["payload"])


def _events(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = sorted(api.pages(path_of("apps", app, "webhook-events")), key=lambda one: str(one["created_at"]))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say(f"{hexagon(app, sys.stdout)} has no events")
    told = [one["payload"] for one in found]
    rows = [(one["id"], each["resource"], each["action"], each["published_at"]) for one, each in zip(found, told, strict=True)]
    return table(rows, ("Event ID", "Resource", "Action", "Published At"))


def _event(typed: Typed) -> None:
    with PlatformApi() as api:
        as_json(api.get(path_of("apps", app_for(typed), "webhook-events", typed.first()))["payload"])


INCLUDE = Flag("include", "i", "ENTITIES", "what to be told of, separated by commas, such as api:release,api:dyno")
LEVEL = Flag("level", "l", "LEVEL", "notify (one try) or sync (tried again until it works)")
URL = Flag("url", "u", "URL", "where to send it")
SECRET = Flag("secret", "s", "SECRET", "value to sign with (one is made when it is not given)")
AUTHORIZATION = Flag("authorization", "t", "VALUE", "Authorization header to send")
_GIVEN = (INCLUDE, LEVEL, URL, SECRET, AUTHORIZATION)
TOPIC = {
    "webhooks": Command(_index, "", (*AN_APP, JSON)),
    "webhooks:add": Command(
        _add, "", (*AN_APP, *_GIVEN), examples=("webhooks:add -i api:release -l notify -u https://example.com/hooks",)
    ),
    "webhooks:info": Command(_info, "ID", (*AN_APP, JSON), least=1, most=1),
    "webhooks:update": Command(_update, "ID", (*AN_APP, *_GIVEN), least=1, most=1),
    "webhooks:remove": Command(_remove, "ID", AN_APP, least=1, most=1),
    "webhooks:deliveries": Command(_deliveries, "", (*AN_APP, Flag("status", "s", "STATUS", "only those in a status"), JSON)),
    "webhooks:deliveries:info": Command(_delivery, "ID", AN_APP, least=1, most=1),
    "webhooks:events": Command(_events, "", (*AN_APP, JSON)),
    "webhooks:events:info": Command(_event, "ID", AN_APP, least=1, most=1),
}
