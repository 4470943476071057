"""Credentials and settings of databases: what `pg:credentials:*` and `pg:settings` ask.

Source: wire contract 5.7; https://devcenter.heroku.com/articles/heroku-postgresql-credentials
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.credentials import check_has_credentials, drop_credential, make_credential, rotate_credential
from ..core.add_on import AddOn
from ..core.database import DEFAULT, Credential, CredentialState, credential_in
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from ..store.credentials import find_credential, list_credentials
from .auth import CallerDep, PlatformDep
from .body import json_body, needed_text
from .databases import Found, found_database
from .parts import iso, releasing
from .routing import Router

router = Router()
_STATES = {
    CredentialState.CREATING: "provisioning",
    CredentialState.ACTIVE: "active",
    CredentialState.ROTATING: "rotating",
    CredentialState.LEAVING: "wait_for_deprovision",
}
_SAID: dict[str, dict[str, str]] = {
    "log_statement": {"none": "No statements are logged.", "ddl": "DDL is logged.", "mod": "Changes are logged.", "all": "All are logged."},
    "track_functions": {"none": "No functions are tracked.", "pl": "Procedural ones are tracked.", "all": "All functions are tracked."},
    "log_min_error_statement": {"panic": "Statements are not logged with their errors."},
}


async def _all(found: Found, platform: Platform) -> list[Credential]:
    """The default one first. Its row, which it has while it is rotated, tells its state."""
    add_on = found.add_on
    async with platform.db.reading() as tx:
        kept = {each.name: each for each in await list_credentials(tx, add_on.id, vault=platform.vault)}
    turning = kept.pop(DEFAULT, None)
    state = turning.state if turning else CredentialState.ACTIVE
    return [_default(add_on, state), *kept.values()]


def _default(add_on: AddOn, state: CredentialState) -> Credential:
    return Credential(add_on.id, add_on.id, DEFAULT, state, add_on.created_at, add_on.updated_at, add_on.config)


async def _shown(credentials: list[Credential], found: Found, *, is_secret: bool) -> list[dict[str, Any]]:
    look = await found.databases.look(found.of)
    return [
        {
            "created_at": iso(each.created_at),
            "credentials": [_login(each, found, look.roles, is_secret=is_secret)],
            "database": look.database,
            "host": look.host,
            "name": each.name,
            "port": look.port,
            "state": _STATES[each.state],
            "uuid": str(each.id),
        }
        for each in credentials
    ]


def _login(each: Credential, found: Found, connections: Any, *, is_secret: bool) -> dict[str, Any]:
    role = found.databases.role(found.of, each.name)
    state = "active" if each.config else _STATES[each.state]
    password = {"password": unquote(urlsplit(each.config["URL"]).password or "")} if is_secret and each.config else {}
    return {"connections": connections.get(role, 0), "state": state, "user": role, **password}


@router.get("/postgres/v0/databases/{database}/credentials")
async def index(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Names, states and connections; no passwords."""
    found = await found_database(database, caller.account, platform)
    return JSONResponse(await _shown(await _all(found, platform), found, is_secret=False))


@router.get("/postgres/v0/databases/{database}/credentials/{name}")
async def info(database: str, name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """One, with its password."""
    found = await found_database(database, caller.account, platform)
    wanted = [each for each in await _all(found, platform) if each.name == name]
    if not wanted:
        raise NotFound(f"Couldn't find the credential {name[:60]} of {found.add_on.name}.")
    return JSONResponse((await _shown(wanted, found, is_secret=True))[0])


@router.post("/postgres/v0/databases/{database}/credentials")
async def create(database: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """One that may connect and nothing else, until its owner grants it more."""
    name = needed_text(await json_body(request), "name", most=100)
    found = await found_database(database, caller.account, platform, changes=True)
    made = await make_credential(found.add_on, found.plan, name, databases=found.databases, **releasing(platform))
    return JSONResponse((await _shown([made], found, is_secret=False))[0], 201)


@router.delete("/postgres/v0/databases/{database}/credentials/{name}")
async def delete(database: str, name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Takes one away; what it owned is the default one's."""
    found = await found_database(database, caller.account, platform, changes=True)
    if name == DEFAULT:
        raise Invalid("The default credential cannot be destroyed; destroy the add-on, or rotate it.")
    await drop_credential(found.add_on, name, databases=found.databases, **releasing(platform))
    return JSONResponse({"message": "Credential destroyed."})


@router.post("/postgres/v0/databases/{database}/credentials/{name}/credentials_rotation")
async def rotate(database: str, name: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Another password; its apps restart, its connections end (also without `forced`)."""
    await json_body(request)
    found = await found_database(database, caller.account, platform, changes=True)
    await rotate_credential(found.add_on, found.plan, name, by=caller.account, databases=found.databases, **releasing(platform))
    return JSONResponse({"message": "Credential rotated."})


@router.post("/postgres/v0/databases/{database}/credentials_rotation")
async def rotate_all(database: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Another password for each."""
    await json_body(request)
    found = await found_database(database, caller.account, platform, changes=True)
    for each in await _all(found, platform):
        await rotate_credential(found.add_on, found.plan, each.name, by=caller.account, databases=found.databases, **releasing(platform))
    return JSONResponse({"message": "Credentials rotated."})


@router.post("/postgres/v0/databases/{database}/repair-default")
async def repair_default(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """The default credential owns everything again."""
    found = await found_database(database, caller.account, platform, changes=True)
    check_has_credentials(found.plan)
    await found.databases.repair_default(found.add_on.id)
    return JSONResponse({"message": "Default credential repaired."})


def _settings(values: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in values.items():
        plain: Any = {"on": True, "off": False}.get(value, value)
        is_number = isinstance(plain, str) and plain.lstrip("-").isdigit()
        shown[name] = {"value": int(plain) if is_number else plain, "values": _SAID.get(name, {})}
    return shown


@router.get("/postgres/v0/databases/{database}/config")
async def settings(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """What is set, and what it means."""
    found = await found_database(database, caller.account, platform)
    return JSONResponse(_settings(await found.databases.settings(found.of)))


@router.patch("/postgres/v0/databases/{database}/config")
async def set_settings(database: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Changes settings for future connections."""
    body = await json_body(request)
    found = await found_database(database, caller.account, platform, changes=True)
    for name, value in body.items():
        await found.databases.set(found.add_on.id, name, str(value))
    return JSONResponse(_settings(await found.databases.settings(found.add_on.id)))


@router.get("/addons/{addon}/config/{namespace}")
async def config(addon: str, namespace: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Which config an attachment of a credential would have: names, no values. Empty when there is none."""
    found = await found_database(addon, caller.account, platform)
    name = credential_in(namespace)
    if name == DEFAULT:
        return JSONResponse([{"name": key} for key in sorted(found.add_on.config)])
    async with platform.db.reading() as tx:
        try:
            kept = await find_credential(tx, found.add_on.id, name, vault=platform.vault)
        except NotFound:
            return JSONResponse([])
    return JSONResponse([{"name": key} for key in sorted(kept.config)])
