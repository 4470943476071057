"""Services of others (ours: registering them), and what they ask of the platform about add-ons they have.

Source: https://devcenter.heroku.com/articles/add-on-partner-api-reference, /articles/add-on-single-sign-on; schemas `add-on-config`,
`add-on-action`
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.partners import partner_configures, partner_failed, partner_provisioned, register_partner, remove_partner, scope_of
from ..core.account import Account
from ..core.add_on import AddOn
from ..core.errors import Conflict, Forbidden, NotFound, Unavailable
from ..core.partner import Manifest, sign_on
from ..platform import Partners, Platform
from ..store.accounts import find_accounts
from ..store.add_ons import find_add_on
from ..store.apps import find_app
from .addons import found_add_on, shown_one
from .auth import AppDep, Caller, CallerDep, OperatorDep, PlatformDep
from .body import json_body, uuid_or
from .links import opened
from .login_page import shown_page
from .parts import releasing
from .routing import Router

router = Router()
_FORM = '<p>Opening {name}.</p><form method="post" action="{action}">{fields}<button autofocus>Go on</button></form>'


def _partners(platform: Platform) -> Partners:
    if platform.partners is None:
        raise Unavailable("This platform takes no services of others.")
    return platform.partners


def _manifest(add_on: AddOn, platform: Platform) -> Manifest:
    manifest = _partners(platform).manifest(add_on.service)
    if manifest is None:
        raise NotFound(f"{add_on.name} is of no service of others.")
    return manifest


@router.get("/senryu/partners")
async def index(operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """List: those registered, without what is secret."""
    manifests = _partners(platform).manifests()
    return JSONResponse([_shown(each) for each in sorted(manifests, key=lambda each: each.service.name)])


def _shown(manifest: Manifest) -> dict[str, Any]:
    service = manifest.service
    return {"name": service.name, "human_name": service.human_name, "base_url": manifest.base_url, "plans": [p.slug for p in service.plans]}


@router.post("/senryu/partners")
async def register(request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Register by a manifest, or change what one registered before is. `client_secret` is what the partner trades codes with."""
    partners = _partners(platform)
    manifest, client = await register_partner(
        await json_body(request),
        by=operator.account,
        offered=partners.offered,
        make=partners.make,
        db=platform.db,
        vault=platform.vault,
        clock=platform.clock,
    )
    return JSONResponse({**_shown(manifest), "client_id": str(client.id), "client_secret": client.secret}, 201)


@router.delete("/senryu/partners/{name}")
async def remove(name: str, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Offer it no more."""
    await remove_partner(name, offered=_partners(platform).offered, db=platform.db, vault=platform.vault, clock=platform.clock)
    return JSONResponse({"name": name})


async def _asked_by_partner(addon: str, caller: Caller, platform: Platform) -> tuple[AddOn, Manifest]:
    """Raises: NotFound, Forbidden for any token but the one its partner got for it."""
    async with platform.db.reading() as tx:
        found = await find_add_on(tx, uuid_or(addon), vault=platform.vault)
    if found is None:
        raise NotFound(f"Couldn't find the add-on {addon[:80]}.")
    if scope_of(found.id) not in caller.authorization.scope:
        raise Forbidden("Only the partner who has this add-on may do this, with the token it traded its grant for.")
    return found, _manifest(found, platform)


def _config(add_on: AddOn, manifest: Manifest) -> JSONResponse:
    return JSONResponse([{"name": f"{manifest.prefix}_{key}", "value": value} for key, value in sorted(add_on.config.items())])


@router.get("/addons/{addon}/config")
async def config(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """What its config vars are, by their first names."""
    return _config(*await _asked_by_partner(addon, caller, platform))


@router.patch("/addons/{addon}/config")
async def configure(addon: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Changes them; apps are released unless it is still being made."""
    add_on, manifest = await _asked_by_partner(addon, caller, platform)
    given = (await json_body(request)).get("config")
    return _config(await partner_configures(add_on, given, manifest=manifest, **releasing(platform)), manifest)


@router.post("/addons/{addon}/actions/provision")
async def provisioned(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """It is made."""
    add_on, _ = await _asked_by_partner(addon, caller, platform)
    return JSONResponse(await shown_one(await partner_provisioned(add_on, **releasing(platform)), platform))


@router.post("/addons/{addon}/actions/deprovision")
async def failed(addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """It could not be made."""
    add_on, _ = await _asked_by_partner(addon, caller, platform)
    answer = await shown_one(add_on, platform)
    await partner_failed(add_on, **releasing(platform))
    return JSONResponse({**answer, "state": "deprovisioned"})


async def _form(add_on: AddOn, account: Account, platform: Platform) -> tuple[str, dict[str, str]]:
    manifest = _manifest(add_on, platform)
    async with platform.db.reading() as tx:
        app = await find_app(tx, add_on.app_id)
    if not manifest.sso_url or not manifest.sso_salt or add_on.provider_id is None or app is None:
        raise Conflict(f"{add_on.name} has no dashboard; its service announced none, or it is not made yet.")
    now_s = int(platform.clock.now().timestamp())
    return manifest.sso_url, sign_on(manifest, add_on.provider_id, app.name, account.email, account.id, now_s)


async def _summary(add_on: AddOn, platform: Platform) -> str:
    shown = await shown_one(add_on, platform)
    rows = {"Service": shown["addon_service"]["human_name"], "Plan": shown["plan"]["name"], "State": shown["state"]}
    rows |= {"App": shown["app"]["name"], "Config vars": ", ".join(shown["config_vars"]), "Created": shown["created_at"]}
    lines = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows.items())
    return f"<h2>{escape(add_on.name)}</h2><dl>{lines}</dl>"


@router.get("/apps/{app}/addons/{addon}/sso")
async def sign_on_form(app: AppDep, addon: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """What a browser posts to get into the partner's dashboard."""
    add_on, _ = await found_add_on(addon, caller, platform)
    action, fields = await _form(add_on, caller.account, platform)
    return JSONResponse({"method": "post", "action": action, "params": fields})


@router.get("/senryu/sso/{account}/{token}")
async def sign_on_page(account: UUID, token: str, platform: PlatformDep) -> Response:
    """The page behind `web_url`: one button, which posts the form; of a service of ours, what there is. Good for some minutes."""
    add_on_id = opened(f"sso {account}", token, platform)
    async with platform.db.reading() as tx:
        add_on = await find_add_on(tx, add_on_id, vault=platform.vault)
        accounts = await find_accounts(tx, {account})
    if add_on is None or account not in accounts:
        raise NotFound("This add-on is gone.")
    if platform.partners is None or platform.partners.manifest(add_on.service) is None:
        return shown_page(await _summary(add_on, platform))
    action, fields = await _form(add_on, accounts[account], platform)
    inputs = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items())
    parts = urlsplit(action)
    page = _FORM.format(name=escape(add_on.name), action=escape(action), fields=inputs)
    return shown_page(page, leads_to=f"{parts.scheme}://{parts.netloc}")
