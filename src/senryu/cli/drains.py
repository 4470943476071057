"""drains, drains:add, drains:remove.

Source: https://devcenter.heroku.com/articles/log-drains
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from senryu.cli.arguments import AN_APP, JSON, Command, Typed
from senryu.cli.output import as_json, heading, hexagon, note, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def shown_url(url: str) -> str:
    """The URL without its password: a list of drains is looked at together with others."""
    parts = urlsplit(url)
    secret, at, place = parts.netloc.rpartition("@")
    user = f"{secret.partition(':')[0]}:****" if ":" in secret else "****"
    return parts._replace(netloc=f"{user}@{place}").geturl() if at else url


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = api.pages(path_of("apps", app, "log-drains"))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say(f"{hexagon(app, sys.stdout)} has no drains.")
    heading(f"{hexagon(app, sys.stdout)} Drains")
    for drain in found:
        say(f"{shown_url(drain['url'])} ({drain['token']})")
    return None


def _add(typed: Typed) -> None:
    app, url = app_for(typed), typed.first()
    with PlatformApi() as api:
        drain = api.post(path_of("apps", app, "log-drains"), {"url": url})
    say(f"Successfully added drain {shown_url(drain['url'])}")
    note(f"Its token is {drain['token']}")


def _remove(typed: Typed) -> None:
    app, url = app_for(typed), typed.first()
    with PlatformApi() as api:
        drain = api.delete(path_of("apps", app, "log-drains", url))
    say(f"Successfully removed drain {shown_url(drain['url'])}")


TOPIC = {
    "drains": Command(_index, "", (*AN_APP, JSON)),
    "drains:add": Command(_add, "URL", AN_APP, least=1, most=1, examples=("drains:add syslog+tls://logs.example.com:6514",)),
    "drains:remove": Command(_remove, "URL|TOKEN", AN_APP, least=1, most=1, examples=("drains:remove syslog+tls://logs.example.com:6514",)),
}
