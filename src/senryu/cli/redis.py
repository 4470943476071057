"""redis, redis:cli, :credentials, :keyspace-notifications, :maxmemory, :promote, :stats-reset, :timeout, :upgrade, :wait.

Source: https://devcenter.heroku.com/articles/heroku-redis
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, confirm, heading, hexagon, note, pairs, say
from senryu.cli.pg_database import reached
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_SERVICE = "heroku-redis"
_WAIT_S = 600.0


def _stores(api: PlatformApi, app: str, wanted: str) -> list[dict[str, Any]]:
    """The app's stores that a part of a name or config var means; all for none."""
    found = [each for each in api.pages(path_of("apps", app, "addons")) if each["addon_service"]["name"] == _SERVICE]
    names = wanted.upper()
    return [each for each in found if any(names in name.upper() for name in (each["name"], *each["config_vars"]))]


def _one(api: PlatformApi, app: str, wanted: str) -> dict[str, Any]:
    found = _stores(api, app, wanted)
    if len(found) != 1:
        names = ", ".join(each["name"] for each in found)
        why = f"{app} has several key-value stores: {names}" if found else f"{app} has no such key-value store"
        raise Failure(why, hint="Say the name of one; `senryu addons` lists them, `senryu addons:create heroku-redis` makes one")
    return found[0]


def _path(store: dict[str, Any], *rest: str) -> str:
    return path_of("redis", "v0", "databases", store["id"], *rest)


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = [(store, api.get(_path(store))) for store in _stores(api, app, typed.first())]
    if typed.on("json"):
        return as_json([{**shown, "config_vars": store["config_vars"]} for store, shown in found])
    if not found:
        return say(f"{hexagon(app, sys.stdout)} has no key-value store.")
    for store, shown in found:
        heading(f"{store['name']} ({', '.join(store['config_vars'])})")
        pairs({row["name"]: ", ".join(row["values"]) for row in shown["info"]})
    return None


class _Store:
    """One as what a wire leads to."""

    def __init__(self, store: dict[str, Any]) -> None:
        self.name, self.wires = str(store["name"]), _path(store, "wires")


def _cli(typed: Typed) -> int:
    program = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if program is None:
        raise Failure("There is no `redis-cli` on this machine", hint="Install it (Debian: apt-get install redis-tools)")
    with PlatformApi() as api:
        store = _one(api, app_for(typed), typed.first())
        password = urlsplit(api.get(_path(store))["resource_url"]).password or ""
        note(f"Connecting to {store['name']} ({', '.join(store['config_vars'])}):")
        with reached(api, _Store(store)) as port:
            words = [program, "--tls", "--insecure", "-h", "127.0.0.1", "-p", str(port)]
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                return subprocess.call(words, env={**os.environ, "REDISCLI_AUTH": password})
            finally:
                signal.signal(signal.SIGINT, before)


def _credentials(typed: Typed) -> None:
    with PlatformApi() as api:
        store = _one(api, app_for(typed), typed.first())
        if not typed.on("reset"):
            return say(api.get(_path(store))["resource_url"])
        with Progress(f"Resetting credentials for {store['name']}"):
            api.post(_path(store, "credentials_rotation"), {})
    return None


def _configured(typed: Typed, setting: str, value: str | int, label: str) -> dict[str, Any]:
    with PlatformApi() as api:
        store = _one(api, app_for(typed), typed.first())
        now: dict[str, Any] = api.patch(_path(store, "config"), {setting: value})[setting]
    say(f"{label} for {store['name']} ({', '.join(store['config_vars'])}) set to {now['value'] or 'nothing'}.")
    return now


def _maxmemory(typed: Typed) -> None:
    now = _configured(typed, "maxmemory_policy", _needed(typed, "policy"), "Maxmemory policy")
    say(f"{now['value']} {now['values'][now['value']]}.")


def _timeout(typed: Typed) -> None:
    _needed(typed, "seconds")
    now = _configured(typed, "timeout", typed.number("seconds", 0, least=0), "Timeout")
    say(f"Connections end after idling for {now['value']} seconds." if now["value"] else "Connections may idle for ever.")


def _notifications(typed: Typed) -> None:
    _configured(typed, "notify_keyspace_events", _needed(typed, "config"), "Keyspace notifications")


def _needed(typed: Typed, flag: str) -> str:
    value = typed.text(flag)
    if value is None:
        raise Failure(f"`--{flag}` is missing", hint=f"Run `senryu {typed.name} --help` to see what it takes")
    return value


def _promote(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        store = _one(api, app, typed.first())
        former = [each for each in api.pages(path_of("apps", app, "addon-attachments")) if each["name"] == "REDIS"]
        if former and former[0]["addon"]["id"] == store["id"]:
            return say(f"{store['name']} is REDIS_URL of {hexagon(app, sys.stdout)} already.")
        body = {"app": {"name": app}, "confirm": app}
        with Progress(f"Promoting {store['name']} to REDIS_URL on {hexagon(app)}"):
            if former and len(api.pages(path_of("addons", former[0]["addon"]["id"], "addon-attachments"))) == 1:
                api.post("/addon-attachments", {**body, "addon": {"name": former[0]["addon"]["name"]}})
            api.post("/addon-attachments", {**body, "addon": {"name": store["name"]}, "name": "REDIS"})
    return None


def _asked(typed: Typed, question: str, *path: str, body: dict[str, str]) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        store = _one(api, app, typed.first())
        confirm(app, typed.text("confirm"), f"{question} {store['name']}; this cannot be undone")
        say(api.post(_path(store, *path), body)["message"])


def _reset_stats(typed: Typed) -> None:
    _asked(typed, "This will reset the statistics of", "stats", "reset", body={})


def _upgrade(typed: Typed) -> None:
    _asked(typed, "This will restart", "upgrade", body={"version": _needed(typed, "version")})


def _wait(typed: Typed) -> None:
    deadline, every_s = time.monotonic() + _WAIT_S, typed.number("wait-interval", 2)
    with PlatformApi() as api:
        store = _one(api, app_for(typed), typed.first())
        with Progress(f"Waiting for {store['name']}"):
            while (now := api.get(_path(store, "wait")))["waiting?"]:
                if time.monotonic() > deadline:
                    raise Failure(f"{store['name']} is still {now['message']}", hint="Look again with `senryu redis`")
                time.sleep(every_s)


_CONFIRMED = (*AN_APP, CONFIRM)
_OF = "[STORE]"
TOPIC = {
    "redis": Command(_info, _OF, (*AN_APP, JSON), most=1),
    "redis:info": Command(_info, _OF, (*AN_APP, JSON), most=1),
    "redis:cli": Command(_cli, _OF, _CONFIRMED, most=1),
    "redis:credentials": Command(_credentials, _OF, (*AN_APP, Flag("reset", "", "", "set another password and restart the apps")), most=1),
    "redis:keyspace-notifications": Command(
        _notifications, _OF, (*AN_APP, Flag("config", "c", "EVENTS", "letters of the events, such as AKE; '' for none")), most=1
    ),
    "redis:maxmemory": Command(_maxmemory, _OF, (*AN_APP, Flag("policy", "p", "POLICY", "what goes when memory is full")), most=1),
    "redis:promote": Command(_promote, _OF, AN_APP, most=1),
    "redis:stats-reset": Command(_reset_stats, _OF, _CONFIRMED, most=1),
    "redis:timeout": Command(_timeout, _OF, (*AN_APP, Flag("seconds", "s", "SECONDS", "idle time, 0 for any")), most=1),
    "redis:upgrade": Command(_upgrade, _OF, (*_CONFIRMED, Flag("version", "v", "VERSION", "such as 7.0")), most=1),
    "redis:wait": Command(_wait, _OF, (*AN_APP, Flag("wait-interval", "", "SECONDS", "time between looks")), most=1),
}
