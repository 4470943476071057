"""`add-on`.

Source: schema `add-on`; wire contract 5.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..actions.change_add_on import change_plan, rename_add_on
from ..actions.follow_database import end_following, follow
from ..actions.fork_database import checked_origin, fork, wanted_origin
from ..actions.provision import deprovision, provision
from ..core.account import Account
from ..core.add_on import AddOn, Attachment, Suppliers, variables
from ..core.app import App
from ..core.errors import Conflict, Invalid, NotFound, Unavailable
from ..core.follower import REFUSED
from ..core.permission import Permission
from ..platform import Platform
from ..store.add_ons import find_add_on, list_add_ons, list_attachments
from ..store.apps import find_apps, list_apps
from .addon_attachments import dashboard, matching
from .addon_services import shown_plan, shown_price, shown_service
from .auth import AppDep, Caller, CallerDep, PlatformDep
from .body import flag, json_body, named, needed_name, text, uuid_or
from .database_transfers import transfers_of
from .parts import iso, releasing
from .ranges import listed
from .routing import Router

router = Router()


def shown(add_on: AddOn, app: App, attached: Sequence[tuple[Attachment, AddOn]], suppliers: Suppliers) -> dict[str, Any]:
    """The schema's `add-on`, its service and plan whole."""
    service = suppliers[add_on.service].service
    plan = service.plan(add_on.plan)
    keys = {key for attachment, of in attached if of.id == add_on.id and attachment.app_id == app.id for key in variables(attachment, of)}
    return {
        "actions": [],
        "addon_service": shown_service(service),
        "app": {"id": str(app.id), "name": app.name},
        "billed_price": shown_price(plan),
        "billing_entity": {"id": str(app.id), "name": app.name, "type": "app"},
        "config_vars": sorted(keys),
        "created_at": iso(add_on.created_at),
        "id": str(add_on.id),
        "name": add_on.name,
        "plan": shown_plan(plan, service),
        "provider_id": add_on.provider_id or str(add_on.id),
        "provision_message": add_on.message,
        "state": add_on.state.value,
        "updated_at": iso(add_on.updated_at),
        "web_url": None,
    }


async def _shown_all(add_ons: Sequence[AddOn], platform: Platform) -> list[dict[str, Any]]:
    async with platform.db.reading() as tx:
        apps = await find_apps(tx, {add_on.app_id for add_on in add_ons})
        attached = [entry for app_id in apps for entry in await list_attachments(tx, app_id=app_id, vault=platform.vault)]
    return [shown(add_on, apps[add_on.app_id], attached, platform.suppliers) for add_on in add_ons if add_on.app_id in apps]


async def _shown(add_on: AddOn, platform: Platform) -> dict[str, Any]:
    for one in await _shown_all([add_on], platform):
        return one
    raise NotFound(f"The app of {add_on.name} was destroyed meanwhile.")


async def shown_one(add_on: AddOn, platform: Platform, account: Account | None = None) -> dict[str, Any]:
    """One, with where `account` may open its dashboard."""
    shown = await _shown(add_on, platform)
    return shown if account is None else {**shown, "web_url": dashboard(add_on, account, platform)}


async def found_add_on(wanted: str, caller: Caller, platform: Platform, needs: Permission = Permission.VIEW) -> tuple[AddOn, App]:
    """By id or name. Raises: NotFound also for those of apps the account may not see."""
    async with platform.db.reading() as tx:
        add_on = await find_add_on(tx, uuid_or(wanted), vault=platform.vault)
        if add_on is None:
            raise NotFound(f"Couldn't find the add-on {wanted[:80]}.")
        try:
            return add_on, await app_for(tx, caller.account, add_on.app_id, needs=needs)
        except NotFound:
            raise NotFound(f"Couldn't find the add-on {wanted[:80]}.") from None


async def _of_app(wanted: str, app: App, platform: Platform) -> AddOn:
    """By id, name or attachment; by its service, if it is the app's only one. Raises: NotFound."""
    async with platform.db.reading() as tx:
        own = await list_add_ons(tx, app.id, vault=platform.vault)
        found = matching(await list_attachments(tx, app_id=app.id, vault=platform.vault), wanted)
    named = [add_on for add_on in own if wanted in (add_on.name, str(add_on.id))] or [add_on for _, add_on in found]
    of_service = [add_on for add_on in own if add_on.service == wanted]
    if not named and len(of_service) != 1:
        raise NotFound(f"Couldn't find the add-on {wanted[:80]} of {app.name}.", app=app.name)
    return (named or of_service)[0]


@router.get("/addons")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: of all apps of the account."""
    async with platform.db.reading() as tx:
        mine = {app.id for app in await list_apps(tx, caller.account.id)}
        found = [add_on for add_on in await list_add_ons(tx, vault=platform.vault) if add_on.app_id in mine]
    return listed(request, await _shown_all(found, platform), fields=("name", "id"))


@router.get("/apps/{app}/addons")
async def index_of_app(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List by App: those it pays for and those attached to it."""
    async with platform.db.reading() as tx:
        own = {add_on.id: add_on for add_on in await list_add_ons(tx, app.id, vault=platform.vault)}
        own |= {add_on.id: add_on for _, add_on in await list_attachments(tx, app_id=app.id, vault=platform.vault)}
    return listed(request, await _shown_all(list(own.values()), platform), fields=("name", "id"))


@router.get("/apps/{app}/usage")
async def usage(app: AppDep) -> JSONResponse:
    """What an app's add-ons used this month: plans are flat, so nothing is counted."""
    return JSONResponse({"id": str(app.id), "addons": []})


@router.post("/apps/{app}/addons")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: makes the add-on, attaches it, releases."""
    body = await json_body(request)
    attachment = body.get("attachment") if isinstance(body.get("attachment"), dict) else {}
    config = body.get("config") if isinstance(body.get("config"), dict) else {}
    options, origin, to, ago = wanted_origin({key: str(value) for key, value in (config or {}).items()})
    followed = options.pop("follow", "")
    plan, name, attached_as = needed_name(body, "plan"), text(body, "name", most=255), text(attachment or {}, "name", most=100)
    if origin:
        source = await _of_app(origin.partition("::")[2] or origin, await _app_of(origin, app, caller, platform), platform)
        transfers = transfers_of(platform)
        made = await fork(
            app, plan, checked_origin(source, plan, to, ago, transfers=transfers), name=name, attached_as=attached_as, options=options,
            by=caller.account, transfers=transfers, **releasing(platform),
        )  # fmt: skip
        return JSONResponse(await _shown(made, platform), 201)
    if followed:
        leader = await _of_app(followed.partition("::")[2] or followed, await _app_of(followed, app, caller, platform), platform)
        made = await _follower(app, plan, leader, options, name=name, attached_as=attached_as, caller=caller, platform=platform)
        return JSONResponse(await _shown(made, platform), 201)
    made = await provision(
        app,
        plan,
        name=name,
        attached_as=attached_as,
        options=options,
        by=caller.account,
        suppliers=platform.suppliers,
        **releasing(platform),
    )
    return JSONResponse(await _shown(made, platform), 201)


async def _follower(
    app: App, plan: str, leader: AddOn, options: dict[str, str], *, name: str | None, attached_as: str | None, caller: Caller,
    platform: Platform,
) -> AddOn:  # fmt: skip
    if platform.following is None:
        raise Invalid(REFUSED)
    if options:
        raise Invalid(f"A follower has no option {', '.join(sorted(options))[:80]}: it is as its leader is.")
    return await follow(
        app, plan, leader, name=name, attached_as=attached_as, by=caller.account, suppliers=platform.suppliers, **releasing(platform)
    )


async def _app_of(origin: str, app: App, caller: Caller, platform: Platform) -> App:
    """Of `other::DATABASE`, the other app, for those who may change it; else the app itself. Raises: NotFound, Forbidden."""
    other, separator, _ = origin.partition("::")
    if not separator:
        return app
    async with platform.db.reading() as tx:
        return await app_for(tx, caller.account, uuid_or(other), needs=Permission.DEPLOY)


@router.get("/addons/{addon}")
async def info(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    found, _ = await found_add_on(addon, caller, platform)
    return JSONResponse(await shown_one(found, platform, caller.account))


@router.get("/apps/{app}/addons/{addon}")
async def info_of_app(addon: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info by App."""
    return JSONResponse(await shown_one(await _of_app(addon, app, platform), platform, caller.account))


@router.patch("/apps/{app}/addons/{addon}")
async def update(addon: str, request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: another plan, another name."""
    body = await json_body(request)
    add_on, _ = await found_add_on(str((await _of_app(addon, app, platform)).id), caller, platform, Permission.DEPLOY)
    if plan := named(body, "plan"):
        add_on = await change_plan(add_on, plan, by=caller.account, suppliers=platform.suppliers, **releasing(platform))
    if name := text(body, "name", most=255):
        add_on = await rename_add_on(add_on, name, **releasing(platform))
    return JSONResponse(await _shown(add_on, platform))


@router.delete("/apps/{app}/addons/{addon}")
async def delete(addon: str, request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete: detaches it everywhere and takes its data away. `force` also while other apps use it."""
    force = flag(await json_body(request), "force") or False
    add_on = await _of_app(addon, app, platform)
    if add_on.app_id != app.id:
        raise Conflict(f"{add_on.name} belongs to another app; detach it with `senryu addons:detach`, or destroy it there.", app=app.name)
    answer = await _shown(add_on, platform)
    gone = await deprovision(app, add_on, by=caller.account, suppliers=platform.suppliers, force=force, **releasing(platform))
    if platform.following is not None and add_on.follows is not None:
        with suppress(Unavailable):  # it goes with the next round
            await end_following(platform.following, **releasing(platform))
    return JSONResponse({**answer, "state": gone.state.value})


@router.post("/actions/addons/resolve")
async def resolve(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Which add-ons a user means by a name, an id, or an attachment of `app`."""
    body = await json_body(request)
    wanted, of_app = named(body, "addon") or "", named(body, "app")
    if of_app:
        async with platform.db.reading() as tx:
            app = await app_for(tx, caller.account, uuid_or(of_app))
        try:
            return JSONResponse([await shown_one(await _of_app(wanted, app, platform), platform, caller.account)])
        except NotFound:
            pass  # a name is unique on the whole platform; the client does not ask again without the app
    found, _ = await found_add_on(wanted, caller, platform)
    return JSONResponse([await shown_one(found, platform, caller.account)])

