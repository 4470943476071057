"""`domain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.add_domain import add_domain, remove_domain
from ..actions.attach_certificate import attach_certificate
from ..core.app import App
from ..core.domain import Domain
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from ..store.database import Transaction
from ..store.domains import list_domains
from ..store.sni_endpoints import list_sni_endpoints
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, named, needed_text
from .parts import certifying, iso, waking
from .ranges import listed
from .routing import Router

router = Router()


def shown(domain: Domain, app: App, platform: Platform, names: Mapping[UUID, str], *, kind: str = "custom") -> dict[str, Any]:
    """The schema's `domain`. `cname` is where a custom domain is to point; `names` are those of the app's certificates."""
    own = f"{app.name}.{platform.settings.domain}"
    endpoint = domain.sni_endpoint_id
    return {
        "acm_status": domain.acm_status,
        "acm_status_reason": domain.acm_status_reason,
        "app": {"id": str(app.id), "name": app.name},
        "cname": own if kind == "custom" else None,
        "created_at": iso(domain.created_at),
        "hostname": domain.hostname,
        "id": str(domain.id),
        "kind": kind,
        "sni_endpoint": {"id": str(endpoint), "name": names[endpoint]} if endpoint is not None and endpoint in names else None,
        "status": "none",
        "updated_at": iso(domain.updated_at),
    }


async def _all(app: App, platform: Platform) -> list[dict[str, Any]]:
    hostname = f"{app.name}.{platform.settings.domain}"
    own = Domain(uuid5(app.id, "domain"), app.id, hostname, app.created_at, app.updated_at)

    async def read(tx: Transaction) -> tuple[list[Domain], dict[UUID, str]]:
        return await list_domains(tx, app.id), {endpoint.id: endpoint.name for endpoint in await list_sni_endpoints(tx, app.id)}

    custom, names = await platform.db.remembered(("domains", app.id), read)
    return [shown(own, app, platform, names, kind="heroku"), *(shown(domain, app, platform, names) for domain in custom)]


async def _one(domain: Domain, app: App, platform: Platform) -> dict[str, Any]:
    async with platform.db.reading() as tx:
        names = {endpoint.id: endpoint.name for endpoint in await list_sni_endpoints(tx, app.id)}
    return shown(domain, app, platform, names)


@router.get("/apps/{app}/domains")
async def index(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    return listed(request, await _all(app, platform), fields=("id", "hostname", "updated_at"))


@router.get("/apps/{app}/domains/{hostname}")
async def info(hostname: str, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    for domain in await _all(app, platform):
        if hostname.lower() in (domain["hostname"], domain["id"]):
            return JSONResponse(domain)
    raise NotFound(f"Couldn't find the domain {hostname[:80]} of {app.name}.", app=app.name)


@router.post("/apps/{app}/domains")
async def create(request: Request, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create."""
    body = await json_body(request)
    made = await add_domain(
        app,
        needed_text(body, "hostname", most=254),
        platform_domain=platform.settings.domain,
        certificate=named(body, "sni_endpoint"),
        picks_certificate="sni_endpoint" not in body,
        certifying=platform.certifying,
        by=caller.account,
        **waking(platform),
    )
    return JSONResponse(await _one(made, app, platform), 201)


@router.patch("/apps/{app}/domains/{hostname}")
async def update(request: Request, hostname: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the certificate (name, id or null) it is answered with."""
    body = await json_body(request)
    if "sni_endpoint" not in body:
        raise Invalid("`sni_endpoint` is missing; give the name of a certificate, or null.")
    if hostname.lower() == f"{app.name}.{platform.settings.domain}":
        raise Invalid(f"{hostname} is answered with the platform's certificate; add a domain of yours.", app=app.name)
    changed = await attach_certificate(app, hostname, named(body, "sni_endpoint"), by=caller.account, **certifying(platform))
    return JSONResponse(await _one(changed, app, platform))


@router.delete("/apps/{app}/domains/{hostname}")
async def delete(hostname: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    if hostname.lower() == f"{app.name}.{platform.settings.domain}":
        raise Invalid(f"{hostname} is the app's own name and stays.", app=app.name)
    gone = await remove_domain(app, hostname, certifying=platform.certifying, by=caller.account, **waking(platform))
    return JSONResponse(await _one(gone, app, platform))
