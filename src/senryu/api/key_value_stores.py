"""Key-value stores on the data API: what `redis:*` asks.

Source: wire contract 5.8; https://devcenter.heroku.com/articles/heroku-redis
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.reset_store import RESETTING, reset_credentials
from ..core.add_on import AddOn, AddOnState
from ..core.errors import Conflict, Invalid, NotFound, Unavailable
from ..core.key_value_store import EVICTION, SERVICE, KeyValueStores, info_rows, settings_shown
from ..core.permission import Permission
from ..platform import Platform
from .addons import found_add_on
from .auth import Caller, CallerDep, PlatformDep
from .body import json_body, text
from .parts import iso, releasing
from .rendezvous import DOOR_HEADER, Rendezvous
from .routing import Router
from .wires import Wire

router = Router()
_TIMEOUT_MOST_S = 2**31 - 1
_EVENTS = frozenset("KEg$lshzxetdmnA")


async def _store(name: str, caller: Caller, platform: Platform, *, is_ready: bool = True) -> tuple[AddOn, KeyValueStores]:
    """Raises: NotFound, Forbidden, Conflict for one that is not made yet."""
    add_on, _ = await found_add_on(name, caller, platform, Permission.DEPLOY)  # as for config vars: what it shows lets in
    if add_on.service != SERVICE or platform.stores is None:
        raise NotFound(f"Couldn't find the key-value store {name[:80]}.")
    if is_ready and add_on.state is not AddOnState.PROVISIONED:
        raise Conflict(f"{add_on.name} is {add_on.state.value}; wait with `senryu addons:wait {add_on.name}`.")
    return add_on, platform.stores


@router.get("/redis/v0/databases/{name}")
async def info(name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """What a store is, and how it is reached."""
    add_on, stores = await _store(name, caller, platform)
    plan = platform.suppliers[SERVICE].service.plan(add_on.plan)
    try:
        rows = info_rows(add_on, plan, await stores.state(add_on.id))
    except Unavailable as problem:
        rows = [("Plan", [plan.human_name]), ("Status", [problem.message])]
    return JSONResponse(
        {
            "addon_id": str(add_on.id),
            "created_at": iso(add_on.created_at),
            "info": [{"name": label, "values": values} for label, values in rows],
            "name": add_on.name,
            "plan": add_on.plan,
            "prefer_native_tls": True,
            "resource_url": add_on.config["URL"],
        }
    )


@router.get("/redis/v0/databases/{name}/wait")
async def wait(name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Whether it is being made."""
    add_on, stores = await _store(name, caller, platform, is_ready=False)
    if add_on.state is AddOnState.PROVISIONED:
        is_loading = (await stores.state(add_on.id)).get("loading", "0") != "0"
        return JSONResponse({"waiting?": is_loading, "message": "loading" if is_loading else "available"})
    return JSONResponse({"waiting?": True, "message": add_on.state.value})


@router.post("/redis/v0/databases/{name}/credentials_rotation")
async def reset(name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Another password; every app that has it attached is released."""
    add_on, stores = await _store(name, caller, platform)
    await reset_credentials(add_on, by=caller.account, stores=stores, **releasing(platform))
    return JSONResponse({"message": "Credentials reset."})


@router.get("/redis/v0/databases/{name}/config")
async def settings(name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """The settings that tenants may change."""
    add_on, stores = await _store(name, caller, platform)
    return JSONResponse(settings_shown(await stores.state(add_on.id)))


@router.patch("/redis/v0/databases/{name}/config")
async def configure(name: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Changes settings at once, and for later starts."""
    body = await json_body(request)
    add_on, stores = await _store(name, caller, platform)
    eviction, events = text(body, "maxmemory_policy", most=40), text(body, "notify_keyspace_events", most=40)
    if eviction is not None and eviction not in EVICTION:
        raise Invalid(f"`{eviction[:40]}` is no eviction policy; there are {', '.join(EVICTION)}.")
    if events is not None and not set(events) <= _EVENTS:
        raise Invalid(f"`{events}` is no choice of keyspace notifications; use letters of {''.join(sorted(_EVENTS))}.")
    await stores.configure(add_on.id, eviction=eviction, timeout_s=_seconds(body), events=_in_order(events))
    return JSONResponse(settings_shown(await stores.state(add_on.id)))


def _in_order(events: str | None) -> str | None:
    return None if events is None else "".join(sorted(set(events)))


def _seconds(body: dict[str, Any]) -> int | None:
    wanted = body.get("timeout")
    if wanted is None:
        return None
    if not isinstance(wanted, int) or isinstance(wanted, bool) or not 0 <= wanted <= _TIMEOUT_MOST_S:
        raise Invalid("`timeout` must be a number of seconds, 0 for none.")
    return wanted


@router.post("/redis/v0/databases/{name}/wires")
async def open_wire(name: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """A way to the store for one connection from anywhere (ours): `attach_url` is like that of a one-off dyno."""
    add_on, _ = await _store(name, caller, platform)
    where = urlsplit(add_on.config["URL"])
    rendezvous: Rendezvous = request.app.state.rendezvous
    url = rendezvous.expect(Wire(where.hostname or "", where.port or 0), request.headers.get(DOOR_HEADER))
    return JSONResponse({"attach_url": url}, 201)


@router.post("/redis/v0/databases/{name}/stats/reset")
async def reset_stats(name: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Counts anew what INFO counts."""
    add_on, stores = await _store(name, caller, platform)
    await stores.reset_stats(add_on.id)
    return JSONResponse({"message": f"Stats reset on {add_on.name}."})


@router.post("/redis/v0/databases/{name}/upgrade")
async def upgrade(name: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """The version that is installed on the machine, which is the only one there is. Raises: Invalid for another."""
    wanted = text(await json_body(request), "version", most=20) or ""
    add_on, stores = await _store(name, caller, platform)
    if add_on.message == RESETTING:
        raise Conflict(f"The credentials of {add_on.name} are being reset; wait for that.")
    state = await stores.state(add_on.id)
    installed, runs = state["installed_version"], state.get("redis_version", "")
    if not f"{installed}.".startswith(f"{wanted}.") or not wanted:
        raise Invalid(f"This platform has version {installed} of Redis only; its operator upgrades it with the machine.")
    if runs == installed:
        return JSONResponse({"message": f"{add_on.name} runs {installed} already."})
    await stores.restart(add_on.id)
    return JSONResponse({"message": f"{add_on.name} runs {installed}; it was {runs}."})
