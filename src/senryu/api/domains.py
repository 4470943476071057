"""`domain`."""

from __future__ import annotations

from typing import Any
from uuid import uuid5

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..actions.add_domain import add_domain, remove_domain
from ..core.app import App
from ..core.domain import Domain
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from ..store.domains import list_domains
from .auth import AppDep, CallerDep, PlatformDep
from .body import json_body, needed_text
from .parts import iso, waking
from .ranges import listed

router = APIRouter()


def shown(domain: Domain, app: App, platform: Platform, *, kind: str = "custom") -> dict[str, Any]:
    """The schema's `domain`. `cname` is where a custom domain is to point."""
    own = f"{app.name}.{platform.settings.domain}"
    return {
        "acm_status": None,
        "acm_status_reason": None,
        "app": {"id": str(app.id), "name": app.name},
        "cname": own if kind == "custom" else None,
        "created_at": iso(domain.created_at),
        "hostname": domain.hostname,
        "id": str(domain.id),
        "kind": kind,
        "sni_endpoint": None,
        "status": "none",
        "updated_at": iso(domain.updated_at),
    }


async def _all(app: App, platform: Platform) -> list[dict[str, Any]]:
    hostname = f"{app.name}.{platform.settings.domain}"
    own = Domain(uuid5(app.id, "domain"), app.id, hostname, app.created_at, app.updated_at)
    async with platform.db.reading() as tx:
        custom = await list_domains(tx, app.id)
    return [shown(own, app, platform, kind="heroku"), *(shown(domain, app, platform) for domain in custom)]


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
    hostname = needed_text(await json_body(request), "hostname", most=254)
    made = await add_domain(app, hostname, platform_domain=platform.settings.domain, by=caller.account, **waking(platform))
    return JSONResponse(shown(made, app, platform), 201)


@router.delete("/apps/{app}/domains/{hostname}")
async def delete(hostname: str, app: AppDep, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete."""
    if hostname.lower() == f"{app.name}.{platform.settings.domain}":
        raise Invalid(f"{hostname} is the app's own name and stays.", app=app.name)
    gone = await remove_domain(app, hostname, by=caller.account, **waking(platform))
    return JSONResponse(shown(gone, app, platform))
