"""`add-on-attachment`.

Source: schema `add-on-attachment`; wire contract 5.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..actions.attach import attach, detach
from ..core.account import Account
from ..core.add_on import AddOn, AddOnState, Attachment, Suppliers, plan_id, variables
from ..core.app import App
from ..core.database import credential_in
from ..core.errors import Conflict, NotFound
from ..core.permission import Permission
from ..platform import Platform
from ..store.add_ons import find_add_on, list_attachments
from ..store.apps import find_apps, list_apps
from .auth import AppDep, Caller, CallerDep, PlatformDep
from .body import json_body, named, needed_name, text, uuid_or
from .links import origin, signed
from .parts import iso, releasing
from .ranges import listed
from .routing import Router

router = Router()
_SIGN_ON_S = 300
Attached = tuple[Attachment, AddOn]


def shown(entry: Attached, apps: dict[UUID, App], suppliers: Suppliers) -> dict[str, Any]:
    """The schema's `add-on-attachment`, with `addon.plan` and `config_vars`, which clients read beyond it."""
    attachment, add_on = entry
    plan = suppliers[add_on.service].service.plan(add_on.plan)
    return {
        "addon": {
            "app": _named(apps[add_on.app_id]),
            "id": str(add_on.id),
            "name": add_on.name,
            "plan": {"id": str(plan_id(plan)), "name": plan.name},
        },
        "app": _named(apps[attachment.app_id]),
        "config_vars": sorted(variables(attachment, add_on)),
        "created_at": iso(attachment.created_at),
        "id": str(attachment.id),
        "log_input_url": None,
        "name": attachment.name,
        "namespace": attachment.namespace,
        "updated_at": iso(attachment.updated_at),
        "web_url": None,
    }


def dashboard(add_on: AddOn, account: Account, platform: Platform) -> str | None:
    """Where an account may open an add-on's dashboard for some minutes; None for one of a partner that has none."""
    manifest = platform.partners.manifest(add_on.service) if platform.partners else None
    if manifest is not None and (not manifest.sso_url or add_on.provider_id is None):
        return None
    return f"{origin(platform)}/senryu/sso/{account.id}/{signed(f'sso {account.id}', add_on.id, _SIGN_ON_S, platform)}"


def _named(app: App) -> dict[str, str]:
    return {"id": str(app.id), "name": app.name}


async def shown_all(entries: Sequence[Attached], platform: Platform) -> list[dict[str, Any]]:
    """Each as `shown` gives it; those of an app that is going are left out."""
    async with platform.db.reading() as tx:
        apps = await find_apps(tx, {id for attachment, add_on in entries for id in (attachment.app_id, add_on.app_id)})
    return [shown(entry, apps, platform.suppliers) for entry in entries if entry[0].app_id in apps and entry[1].app_id in apps]


async def _shown(entry: Attached, platform: Platform) -> dict[str, Any]:
    for one in await shown_all([entry], platform):
        return one
    raise NotFound(f"The app that had {entry[1].name} attached, or pays for it, was destroyed meanwhile.")


def matching(entries: Sequence[Attached], wanted: str) -> list[Attached]:
    """Those that a user means: by attachment name, one of its config vars, its id, or the add-on's name or id."""
    plain = wanted.upper().removesuffix("_URL")
    for meant in (
        [e for e in entries if e[0].name in (wanted.upper(), plain) or wanted in variables(*e) or str(e[0].id) == wanted],
        [e for e in entries if wanted in (e[1].name, str(e[1].id))],
    ):
        if meant:
            return meant
    return []


async def _one(wanted: str, caller: Caller, platform: Platform, needs: Permission) -> tuple[Attached, App]:
    async with platform.db.reading() as tx:
        mine = {app.id for app in await list_apps(tx, caller.account.id)}
        entries = [entry for entry in await list_attachments(tx, vault=platform.vault) if entry[0].app_id in mine]
        found = [entry for entry in entries if str(entry[0].id) == wanted]
        if not found:
            raise NotFound(f"Couldn't find the add-on attachment {wanted[:80]}.")
        return found[0], await app_for(tx, caller.account, found[0][0].app_id, needs=needs)


@router.get("/addon-attachments")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: of all apps of the account."""
    async with platform.db.reading() as tx:
        mine = {app.id for app in await list_apps(tx, caller.account.id)}
        entries = [entry for entry in await list_attachments(tx, vault=platform.vault) if entry[0].app_id in mine]
    return listed(request, await shown_all(entries, platform), fields=("name", "id"))


@router.get("/apps/{app}/addon-attachments")
async def index_of_app(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List by App."""
    async with platform.db.reading() as tx:
        entries = await list_attachments(tx, app_id=app.id, vault=platform.vault)
    return listed(request, await shown_all(entries, platform), fields=("name", "id"))


@router.get("/addons/{addon}/addon-attachments")
async def index_of_add_on(addon: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List by Add-on: those of apps the account may see."""
    async with platform.db.reading() as tx:
        mine = {app.id for app in await list_apps(tx, caller.account.id)}
        entries = matching([e for e in await list_attachments(tx, vault=platform.vault) if e[0].app_id in mine], addon)
    if not entries:
        raise NotFound(f"Couldn't find the add-on {addon[:80]}.")
    return listed(request, await shown_all(entries, platform), fields=("name", "id"))


@router.get("/apps/{app}/addon-attachments/{addon}")
async def info_of_app(addon: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info by App: by the attachment's name or id."""
    async with platform.db.reading() as tx:
        found = matching(await list_attachments(tx, app_id=app.id, vault=platform.vault), addon)
    if not found:
        raise NotFound(f"Couldn't find the add-on attachment {addon[:80]} of {app.name}.", app=app.name)
    return JSONResponse(await _shown(found[0], platform))


@router.get("/addon-attachments/{addon}")
async def info(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info by id."""
    found, _ = await _one(addon, caller, platform, Permission.VIEW)
    return JSONResponse(await _shown(found, platform))


@router.delete("/addon-attachments/{addon}")
async def delete(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete by id: a release without its config vars."""
    found, app = await _one(addon, caller, platform, Permission.DEPLOY)
    answer = await _shown(found, platform)
    await detach(app, *found, by=caller.account, **releasing(platform))
    return JSONResponse(answer)


@router.post("/addon-attachments")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: attaches an add-on, of this app or of another the account works on. `confirm` with the app's name takes a name over."""
    body = await json_body(request)
    wanted, app_name = needed_name(body, "addon"), needed_name(body, "app")
    async with platform.db.reading() as tx:
        app = await app_for(tx, caller.account, uuid_or(app_name), needs=Permission.DEPLOY)
        add_on = await find_add_on(tx, uuid_or(wanted), vault=platform.vault)
        if add_on is None:
            raise NotFound(f"Couldn't find the add-on {wanted[:80]}.")
        await app_for(tx, caller.account, add_on.app_id, needs=Permission.DEPLOY)
    if add_on.state is not AddOnState.PROVISIONED:
        raise Conflict(f"{add_on.name} is {add_on.state.value}; wait until it is provisioned.")
    made = await attach(
        app,
        add_on,
        platform.suppliers[add_on.service].service,
        name=text(body, "name", most=100),
        credential=credential_in(text(body, "namespace", most=100)),
        replaces=named(body, "confirm") == app.name,
        by=caller.account,
        **releasing(platform),
    )
    return JSONResponse(await _shown((made, add_on), platform), 201)


@router.post("/actions/addon-attachments/resolve")
async def resolve(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Which attachments a user means by `NAME`, `NAME_URL`, `app::NAME` or an add-on's name."""
    body = await json_body(request)
    wanted, of_app = named(body, "addon_attachment") or "", named(body, "app")
    app_name, separator, name = wanted.partition("::")
    if separator:
        of_app, wanted = app_name, name
    async with platform.db.reading() as tx:
        apps = [await app_for(tx, caller.account, uuid_or(of_app))] if of_app else await list_apps(tx, caller.account.id)
        mine = {app.id for app in apps}
        entries = matching([e for e in await list_attachments(tx, vault=platform.vault) if e[0].app_id in mine], wanted)
    if not entries:
        raise NotFound(f"Couldn't find the add-on attachment {wanted[:80]}.", id="not_found")
    shown = await shown_all(entries, platform)
    urls = {str(attachment.id): dashboard(add_on, caller.account, platform) for attachment, add_on in entries}
    return JSONResponse([{**each, "web_url": urls[each["id"]]} for each in shown])
