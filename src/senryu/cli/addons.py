"""addons, addons:create, :info, :attach, :detach, :destroy, :rename, :upgrade, :plans, :services, :wait, :docs.

Source: https://devcenter.heroku.com/articles/managing-add-ons
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure, Refusal
from senryu.cli.output import Progress, as_json, confirm, heading, hexagon, note, pairs, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_WAIT_S = 600.0
_POLL_S = 2.0
_UNDER_WAY = ("provisioning", "deprovisioning")
_DOCS = {"heroku-postgresql": "https://devcenter.heroku.com/articles/heroku-postgresql"}


def price(plan: dict[str, Any]) -> str:
    """`$5.00/month`, or `free`."""
    cents = int((plan.get("price") or {}).get("cents", 0))
    return f"${cents / 100:.2f}/month" if cents else "free"


def _found(api: PlatformApi, typed: Typed, name: str) -> dict[str, Any]:
    """The add-on a name, an id or an attachment of the app means. Raises `Failure` for several."""
    app = app_for(typed) if typed.text("app") or typed.text("remote") else None
    found: list[dict[str, Any]] = api.post("/actions/addons/resolve", {"addon": name, **({"app": app} if app else {})})
    if len(found) != 1:
        raise Failure(f"`{name}` names {len(found)} add-ons", hint="Use the add-on's own name; `senryu addons` lists them")
    return found[0]


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        app = None if typed.on("all") else app_for(typed)
        found = api.pages("/addons" if app is None else path_of("apps", app, "addons"))
        attached = api.pages("/addon-attachments" if app is None else path_of("apps", app, "addon-attachments"))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say("You have no add-ons." if app is None else f"No add-ons for app {hexagon(app, sys.stdout)}.")
    rows = []
    for add_on in sorted(found, key=lambda each: str(each["name"])):
        names = sorted(f"{each['app']['name']}::{each['name']}" for each in attached if each["addon"]["id"] == add_on["id"])
        rows.append((add_on["name"], add_on["plan"]["name"], price(add_on["plan"]), add_on["state"], ", ".join(names)))
    return table(rows, ("Add-on", "Plan", "Price", "State", "Attached As"))


def _options(words: list[str]) -> dict[str, str]:
    """`--fork DATABASE`, `--fork=DATABASE`, `--fast` → `{"fork": "DATABASE"}`, `{"fast": "true"}`."""
    found: dict[str, str] = {}
    last = ""
    for word in words:
        if word.startswith("--"):
            last, separator, value = word.removeprefix("--").partition("=")
            found[last] = value if separator else "true"
        elif last and found[last] == "true":
            found[last] = word
        else:
            raise Failure(f"`{word}` is no option of an add-on", hint="Options are written as --NAME=VALUE, behind --")
    return found


def _create(typed: Typed) -> None:
    app, plan = app_for(typed), typed.first()
    options = _options(typed.args[1:])
    body: dict[str, Any] = {"plan": {"name": plan}, "config": options}
    if typed.text("as"):
        body["attachment"] = {"name": typed.text("as")}
    if typed.text("name"):
        body["name"] = typed.text("name")
    with PlatformApi() as api:
        with Progress(f"Creating {plan} on {hexagon(app)}"):
            made = api.post(path_of("apps", app, "addons"), body)
        if made["provision_message"]:
            note(made["provision_message"])
        if made["state"] == "provisioning" and typed.on("wait"):
            made = _waited(lambda: api.get(path_of("addons", made["id"])))
        if made["state"] == "provisioning":
            return say(f"{made['name']} is being made; the app restarts with it then. `senryu addons:wait {made['name']}` waits for it.")
        names = f" as {', '.join(made['config_vars'])}" if made["config_vars"] else ""
        say(f"Created {made['name']}{names} ({price(made['plan'])})")
    return None


def _info(typed: Typed) -> None:
    with PlatformApi() as api:
        add_on = _found(api, typed, typed.first())
        attached = api.pages(path_of("addons", add_on["id"], "addon-attachments"))
    if typed.on("json"):
        return as_json(add_on)
    heading(add_on["name"])
    return pairs({
        "Attachments": [f"{each['app']['name']}::{each['name']}" for each in attached],
        "Created": add_on["created_at"],
        "Owning app": add_on["app"]["name"],
        "Plan": add_on["plan"]["name"],
        "Price": price(add_on["plan"]),
        "State": add_on["state"],
    })  # fmt: skip


def _attach(typed: Typed) -> None:
    app = app_for(typed)
    body = {"addon": {"name": typed.first()}, "app": {"name": app}, "name": typed.text("as"), "confirm": typed.text("confirm")}
    if typed.text("credential") not in (None, "default"):
        body["namespace"] = f"credential:{typed.text('credential')}"
    with PlatformApi() as api, Progress(f"Attaching {typed.first()} to {hexagon(app)}"):
        made = api.post("/addon-attachments", {key: value for key, value in body.items() if value})
    say(f"{made['name']}: {', '.join(made['config_vars'])}")


def _detach(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        attachment = api.get(path_of("apps", app, "addon-attachments", typed.first()))
        with Progress(f"Detaching {attachment['name']} to {attachment['addon']['name']} from {hexagon(app)}"):
            api.delete(path_of("addon-attachments", attachment["id"]))


def _destroy(typed: Typed) -> None:
    with PlatformApi() as api:
        add_on = _found(api, typed, typed.first())
        app = add_on["app"]["name"]
        confirm(app, typed.text("confirm"), f"This will delete {add_on['name']} of {hexagon(app)} with all its data")
        with Progress(f"Destroying {add_on['name']} on {hexagon(app)}"):
            api.call("DELETE", path_of("apps", app, "addons", add_on["id"]), {"force": typed.on("force")})


def _rename(typed: Typed) -> None:
    with PlatformApi() as api:
        add_on = _found(api, typed, typed.args[0])
        with Progress(f"Renaming {add_on['name']} to {typed.args[1]}"):
            api.patch(path_of("apps", add_on["app"]["id"], "addons", add_on["id"]), {"name": typed.args[1]})


def _upgrade(typed: Typed) -> None:
    name, plan = (typed.args[0], typed.args[1]) if len(typed.args) > 1 else (typed.args[0].partition(":")[0], typed.args[0])
    with PlatformApi() as api:
        add_on = _found(api, typed, name)
        wanted = plan if ":" in plan else f"{add_on['addon_service']['name']}:{plan}"
        with Progress(f"Changing {add_on['name']} from {add_on['plan']['name']} to {wanted}"):
            api.patch(path_of("apps", add_on["app"]["id"], "addons", add_on["id"]), {"plan": {"name": wanted}})


def _services(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.pages("/addon-services")
    if typed.on("json"):
        return as_json(found)
    return table(((each["name"], each["human_name"], each["state"]) for each in found), ("Slug", "Name", "State"))


def _plans(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.pages(path_of("addon-services", typed.first(), "plans"))
    if typed.on("json"):
        return as_json(found)
    ordered = sorted(found, key=lambda plan: int(plan["price"]["cents"]))
    rows = (("default" if plan["default"] else "", plan["name"], plan["human_name"], price(plan)) for plan in ordered)
    return table(rows, ("", "Slug", "Name", "Price"))


def _wait(typed: Typed) -> None:
    with PlatformApi() as api:
        named = [_found(api, typed, typed.first())] if typed.args else api.pages(path_of("apps", app_for(typed), "addons"))
        for add_on in named:
            if add_on["state"] in _UNDER_WAY:
                _waited(partial(api.get, path_of("addons", add_on["id"])))


def _waited(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The add-on once it is made. One that goes meanwhile is a `Failure`."""
    deadline, add_on = time.monotonic() + _WAIT_S, look()
    with Progress(f"Waiting for {add_on['name']}"):
        while add_on["state"] in _UNDER_WAY:
            if time.monotonic() > deadline:
                raise Failure(f"{add_on['name']} is still {add_on['state']}", hint="Look again with `senryu addons:info`")
            time.sleep(_POLL_S)
            try:
                add_on = look()
            except Refusal as refused:
                if add_on["state"] == "deprovisioning":
                    return add_on
                raise Failure(f"{add_on['name']} could not be made", hint="Its service gave it up; ask there") from refused
    return add_on


def _docs(typed: Typed) -> None:
    with PlatformApi() as api:
        service = api.get(path_of("addon-services", typed.first()))["name"]
    say(_DOCS.get(service, f"https://devcenter.heroku.com/articles/{service}"))


_AS = Flag("as", "", "NAME", "name of the attachment, which begins its config vars")
_CREDENTIAL = Flag("credential", "", "NAME", "credential of the database to attach by")
_WITH = (*AN_APP, JSON)
TOPIC = {
    "addons": Command(_index, "", (*_WITH, Flag("all", "A", "", "of all your apps"))),
    "addons:create": Command(
        _create,
        "SERVICE:PLAN [-- --OPTION=VALUE ...]",
        (*AN_APP, _AS, Flag("name", "", "NAME", "name of the add-on"), Flag("wait", "", "", "until it is made")),
        least=1,
        most=50,
        examples=("addons:create heroku-postgresql:essential-0",),
    ),
    "addons:info": Command(_info, "ADDON", _WITH, least=1, most=1, examples=("addons:info DATABASE",)),
    "addons:attach": Command(
        _attach, "ADDON", (*AN_APP, _AS, _CREDENTIAL, CONFIRM), least=1, most=1, examples=("addons:attach postgresql-x-12345",)
    ),
    "addons:detach": Command(_detach, "ATTACHMENT", AN_APP, least=1, most=1, examples=("addons:detach DATABASE",)),
    "addons:destroy": Command(
        _destroy,
        "ADDON",
        (*AN_APP, CONFIRM, Flag("force", "f", "", "also while other apps have it attached")),
        least=1,
        most=1,
        examples=("addons:destroy DATABASE --confirm myapp",),
    ),
    "addons:rename": Command(_rename, "ADDON NEWNAME", AN_APP, least=2, most=2, examples=("addons:rename DATABASE pictures",)),
    "addons:upgrade": Command(_upgrade, "ADDON PLAN", AN_APP, least=1, most=2, examples=("addons:upgrade DATABASE standard-0",)),
    "addons:services": Command(_services, "", (JSON,)),
    "addons:plans": Command(_plans, "SERVICE", (JSON,), least=1, most=1, examples=("addons:plans heroku-postgresql",)),
    "addons:wait": Command(_wait, "[ADDON]", AN_APP, most=1, examples=("addons:wait DATABASE",)),
    "addons:docs": Command(_docs, "SERVICE", (), least=1, most=1, examples=("addons:docs heroku-postgresql",)),
}
