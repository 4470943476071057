"""pg:credentials, :create, :destroy, :rotate, :repair-default, :url.

Source: https://devcenter.heroku.com/articles/heroku-postgresql-credentials
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.output import Progress, as_json, confirm, say, table
from senryu.cli.pg_database import attachment
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _path(found: dict[str, Any], *rest: str) -> str:
    return path_of("postgres", "v0", "databases", found["addon"]["id"], *rest)


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        found = attachment(api, app_for(typed), typed.first())
        credentials = api.get(_path(found, "credentials"))
        attached = api.pages(path_of("addons", found["addon"]["id"], "addon-attachments"))
    if typed.on("json"):
        return as_json(credentials)
    rows = []
    for each in credentials:
        wanted = None if each["name"] == "default" else f"credential:{each['name']}"
        names = sorted(f"{other['app']['name']}::{other['name']}" for other in attached if other["namespace"] == wanted)
        [login] = each["credentials"]
        rows.append((each["name"], each["state"], login["user"], str(login["connections"]), ", ".join(names)))
    return table(rows, ("Credential", "State", "User", "Connections", "Attached As"))


def _create(typed: Typed) -> None:
    with PlatformApi() as api:
        found = attachment(api, app_for(typed), typed.first())
        name = typed.text("name") or "default"
        with Progress(f"Creating credential {name}"):
            made = api.post(_path(found, "credentials"), {"name": name})
    say(f"Attach it with `senryu addons:attach {found['addon']['name']} --credential {name}`.")
    say(f"Grant it what it may do to the role {made['credentials'][0]['user']} in `senryu pg:psql`.")


def _destroy(typed: Typed) -> None:
    app, name = app_for(typed), typed.text("name") or "default"
    with PlatformApi() as api:
        found = attachment(api, app, typed.first())
        confirm(app, typed.text("confirm"), f"This will destroy the credential {name} of {found['addon']['name']}")
        with Progress(f"Destroying credential {name}"):
            api.delete(_path(found, "credentials", name))


def _rotate(typed: Typed) -> None:
    app, name = app_for(typed), typed.text("name") or "default"
    with PlatformApi() as api:
        found = attachment(api, app, typed.first())
        what = f"all credentials of {found['addon']['name']}" if typed.on("all") else f"the credential {name} of {found['addon']['name']}"
        confirm(app, typed.text("confirm"), f"This changes the password of {what}, ends its connections and restarts its apps")
        with Progress(f"Rotating {what}"):
            rest = ("credentials_rotation",) if typed.on("all") else ("credentials", name, "credentials_rotation")
            api.post(_path(found, *rest), {"forced": typed.on("force")})


def _repair(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = attachment(api, app, typed.first())
        confirm(app, typed.text("confirm"), f"All that other credentials of {found['addon']['name']} own will be the default one's")
        with Progress("Resetting ownership and permissions of the default credential"):
            api.post(_path(found, "repair-default"), {})


def _url(typed: Typed) -> None:
    with PlatformApi() as api:
        found = attachment(api, app_for(typed), typed.first())
        name = typed.text("name") or "default"
        shown = api.get(_path(found, "credentials", name))
    [login] = shown["credentials"]
    place = f"{shown['host']}:{shown['port']}/{shown['database']}"
    if typed.on("json"):
        return as_json(shown)
    say(f"Connection information for {name} credential.")
    say("Connection info string:")
    words = ("dbname", shown["database"]), ("host", shown["host"]), ("port", shown["port"]), ("user", login["user"])
    say(f'  "{" ".join(f"{key}={value}" for key, value in words)} password={login["password"]} sslmode=require"')
    say("Connection URL:")
    return say(f"  postgres://{quote(login['user'], safe='')}:{quote(login['password'], safe='')}@{place}")


_NAME = Flag("name", "n", "NAME", "which credential (default)")
TOPIC = {
    "pg:credentials": Command(_index, "[DATABASE]", (*AN_APP, JSON), most=1, examples=("pg:credentials",)),
    "pg:credentials:create": Command(_create, "[DATABASE]", (*AN_APP, _NAME), most=1, examples=("pg:credentials:create --name analyst",)),
    "pg:credentials:destroy": Command(
        _destroy, "[DATABASE]", (*AN_APP, _NAME, CONFIRM), most=1, examples=("pg:credentials:destroy --name analyst",)
    ),
    "pg:credentials:rotate": Command(
        _rotate,
        "[DATABASE]",
        (*AN_APP, _NAME, CONFIRM, Flag("all", "", "", "all credentials"), Flag("force", "", "", "as Heroku has it: always so here")),
        most=1,
        examples=("pg:credentials:rotate --name analyst",),
    ),
    "pg:credentials:repair-default": Command(
        _repair, "[DATABASE]", (*AN_APP, CONFIRM), most=1, examples=("pg:credentials:repair-default",)
    ),
    "pg:credentials:url": Command(_url, "[DATABASE]", (*AN_APP, _NAME, JSON), most=1, examples=("pg:credentials:url",)),
}
