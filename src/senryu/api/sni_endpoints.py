"""`sni-endpoint` and automatic certificates (`acm`).

Source: schema `sni-endpoint`; https://devcenter.heroku.com/articles/ssl, /articles/automated-certificate-management; wire contract 5.9
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..actions.add_certificate import add_certificate, named_endpoint, remove_certificate, update_certificate
from ..actions.automate_certificates import automate, refresh, stop_automating
from ..core.app import App
from ..core.certificate_order import CHALLENGE_PATH, answer_to
from ..core.errors import Invalid, NotFound
from ..core.limits import CERTIFICATE_CHAIN_MAX_BYTES, CERTIFICATE_KEY_MAX_BYTES
from ..core.sni_endpoint import SniEndpoint, data_of
from ..platform import Platform
from ..store.certificate_orders import list_orders
from ..store.domains import list_domains
from ..store.sni_endpoints import list_sni_endpoints
from .apps import shown_all
from .auth import AppDep, CallerDep, PlatformDep
from .body import flag, json_body, needed_text, text
from .parts import certifying, telling
from .ranges import listed
from .routing import Router

router = Router()


async def _shown(app: App, platform: Platform, wanted: SniEndpoint | None = None) -> list[dict[str, Any]]:
    """The schema's `sni-endpoint`: all of an app's, or the one."""
    async with platform.db.reading() as tx:
        endpoints = [wanted] if wanted else await list_sni_endpoints(tx, app.id)
        domains = await list_domains(tx, app.id)
    return [data_of(e, app.name, (domain.id for domain in domains if domain.sni_endpoint_id == e.id)) for e in endpoints]


@router.get("/apps/{app}/sni-endpoints")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    return listed(request, await _shown(app, platform), fields=("id", "name", "created_at", "updated_at"))


@router.post("/apps/{app}/sni-endpoints")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: `certificate_chain` and `private_key` in PEM."""
    body = await json_body(request)
    chain = needed_text(body, "certificate_chain", most=CERTIFICATE_CHAIN_MAX_BYTES)
    key = needed_text(body, "private_key", most=CERTIFICATE_KEY_MAX_BYTES)
    name = text(body, "display_name")
    made = await add_certificate(app, chain, key, shown_as=name, by=caller.account, vault=platform.vault, **telling(platform))
    return JSONResponse((await _shown(app, platform, made))[0], 201)


@router.get("/apps/{app}/sni-endpoints/{name}")
async def info(name: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info: by name, display name or id."""
    async with platform.db.reading() as tx:
        found = await named_endpoint(tx, app, name)
    return JSONResponse((await _shown(app, platform, found))[0])


@router.patch("/apps/{app}/sni-endpoints/{name}")
async def update(request: Request, name: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: another certificate and key, or the display name."""
    body = await json_body(request)
    changed = await update_certificate(
        app,
        name,
        chain=text(body, "certificate_chain", most=CERTIFICATE_CHAIN_MAX_BYTES),
        key=text(body, "private_key", most=CERTIFICATE_KEY_MAX_BYTES),
        shown_as=text(body, "display_name"),
        by=caller.account,
        vault=platform.vault,
        **certifying(platform),
    )
    return JSONResponse((await _shown(app, platform, changed))[0])


@router.delete("/apps/{app}/sni-endpoints/{name}")
async def delete(name: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    async with platform.db.reading() as tx:
        [answer] = await _shown(app, platform, await named_endpoint(tx, app, name))
    await remove_certificate(app, name, by=caller.account, **certifying(platform))
    return JSONResponse(answer)


@router.post("/apps/{app}/acm")
async def enable_acm(app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Enable ACM: the app."""
    offered = bool(platform.settings.acme_directory_url)
    now = await automate(app, is_offered=offered, by=caller.account, **certifying(platform))
    return JSONResponse((await shown_all([now], platform))[0])


@router.patch("/apps/{app}/acm")
async def refresh_acm(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Refresh ACM: every domain without a certificate is tried again now."""
    if flag(await json_body(request), "acm_refresh") is False:
        raise Invalid("`acm_refresh` must be true.")
    now = await refresh(app, by=caller.account, **certifying(platform))
    return JSONResponse((await shown_all([now], platform))[0])


@router.delete("/apps/{app}/acm")
async def disable_acm(app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Disable ACM: certificates it fetched are removed."""
    now = await stop_automating(app, by=caller.account, **certifying(platform))
    return JSONResponse((await shown_all([now], platform))[0])


@router.get(CHALLENGE_PATH + "{token}")
async def challenge(token: str, platform: PlatformDep) -> Response:
    """What a certificate authority looks for; the router sends only what is waited for. Source: RFC 8555, 8.3."""
    async with platform.db.reading() as tx:
        answer = answer_to(token, await list_orders(tx, vault=platform.vault))
    if answer is None:
        raise NotFound("No certificate authority is waited for under this name.")
    return PlainTextResponse(answer, headers={"Cache-Control": "no-store"})
