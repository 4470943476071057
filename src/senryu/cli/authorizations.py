"""authorizations, authorizations:create, authorizations:info, authorizations:revoke.

Source: https://devcenter.heroku.com/articles/oauth#direct-authorization
"""

from __future__ import annotations

from typing import Any

from senryu.cli.arguments import JSON, Command, Flag, Typed
from senryu.cli.output import Progress, ago, as_json, note, pairs, say, table
from senryu.cli.platform_api import PlatformApi, path_of


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        found = sorted(api.pages("/oauth/authorizations"), key=lambda one: str(one.get("description")))
    if typed.on("json"):
        return as_json(found)
    if not found:
        return note("No OAuth authorizations")
    return table((one.get("description"), one["id"], ", ".join(one.get("scope") or [])) for one in found)


def _create(typed: Typed) -> None:
    body: dict[str, Any] = {"description": typed.text("description"), "scope": (typed.text("scope") or "global").split(",")}
    if typed.text("expires-in") is not None:
        body["expires_in"] = typed.number("expires-in", 0)
    with PlatformApi() as api, Progress("Creating OAuth Authorization"):
        made = api.post("/oauth/authorizations", {key: value for key, value in body.items() if value})
    _show(typed, made)


def _info(typed: Typed) -> None:
    with PlatformApi() as api:
        _show(typed, api.get(path_of("oauth", "authorizations", typed.first())))


def _show(typed: Typed, one: dict[str, Any]) -> None:
    token = one.get("access_token") or {}
    if typed.on("short"):
        return say(token.get("token", ""))
    if typed.on("json"):
        return as_json(one)
    expires = token.get("expires_in")
    return pairs({
        "Client": (one.get("client") or {}).get("name", "<none>"),
        "ID": one["id"],
        "Description": one.get("description"),
        "Scope": ", ".join(one.get("scope") or []),
        "Token": token.get("token"),
        "Expires in": f"{expires} seconds" if expires is not None else None,
        "Updated at": ago(one["updated_at"]) if one.get("updated_at") else None,
    })  # fmt: skip


def _revoke(typed: Typed) -> None:
    with PlatformApi() as api, Progress("Revoking OAuth Authorization") as progress:
        gone = api.delete(path_of("oauth", "authorizations", typed.first())) or {}
        progress.done = f"done, revoked authorization from {gone.get('description') or typed.first()}"


SHORT = Flag("short", "S", "", "print the token only")
TOPIC = {
    "authorizations": Command(_index, "", (JSON,)),
    "authorizations:create": Command(
        _create, "",
        (
            Flag("description", "d", "TEXT", "what the token is for"),
            Flag("scope", "s", "SCOPES", "scopes, separated by commas (global)"),
            Flag("expires-in", "e", "SECONDS", "how long the token lives (for ever)"),
            SHORT, JSON,
        ),
        examples=("authorizations:create --description 'For CI' --short",),
    ),
    "authorizations:info": Command(_info, "ID", (SHORT, JSON), least=1, most=1),
    "authorizations:revoke": Command(_revoke, "ID", (), least=1, most=1),
}  # fmt: skip
