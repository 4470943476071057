"""The API as one application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ..actions.browser_login import BrowserLogins
from ..core.attempts import Attempts
from ..core.errors import NotFound
from ..platform import Platform
from . import (
    account,
    addon_attachments,
    addon_services,
    addons,
    app_filters,
    app_transfers,
    app_webhooks,
    apps,
    browser_login,
    buildpack_installations,
    buildpack_registry,
    builds,
    collaborators,
    config_vars,
    data_usage,
    database_credentials,
    database_followers,
    database_reports,
    database_transfers,
    databases,
    domains,
    dyno_sizes,
    dynos,
    exec_tunnels,
    features,
    formation,
    invoices,
    key_value_stores,
    keys,
    log_drains,
    log_sessions,
    oauth_authorizations,
    oauth_clients,
    oauth_sessions,
    oauth_tokens,
    objects,
    partners,
    pipelines,
    platform_status,
    quotas,
    regions,
    releases,
    scheduler_jobs,
    schema,
    slugs,
    sni_endpoints,
    spaces,
    team_apps,
    teams,
    telemetry_drains,
    transfer_schedules,
    two_factor,
)
from .auth import Allowance, PlatformDep
from .database_reports import Reports
from .errors import HANDLERS
from .idempotency import Idempotency
from .links import Origins
from .rendezvous import Rendezvous
from .routing import Router, Table
from .transport import CallsLeft, Drained, ETags, RequestIds

ROUTERS: tuple[Router, ...] = (
    account.router,
    two_factor.router,
    oauth_authorizations.router,
    apps.router,
    builds.router,
    slugs.router,
    releases.router,
    config_vars.router,
    formation.router,
    dynos.router,
    scheduler_jobs.router,
    log_sessions.router,
    log_drains.router,
    app_webhooks.router,
    domains.router,
    collaborators.router,
    buildpack_installations.router,
    regions.router,
    dyno_sizes.router,
    quotas.router,
    invoices.router,
    features.router,
    keys.router,
    oauth_clients.router,
    oauth_sessions.router,
    oauth_tokens.router,
    browser_login.router,
    app_filters.router,
    buildpack_registry.router,
    platform_status.router,
    sni_endpoints.router,
    telemetry_drains.router,
    addons.router,
    addon_attachments.router,
    addon_services.router,
    databases.router,
    database_credentials.router,
    database_followers.router,
    database_reports.router,
    data_usage.router,
    database_transfers.router,
    key_value_stores.router,
    objects.router,
    partners.router,
    transfer_schedules.router,
    pipelines.router,
    app_transfers.router,
    team_apps.router,
    teams.router,
    spaces.router,
    schema.router,
    exec_tunnels.router,
)

_MIDDLEWARE = (Drained, Origins, RequestIds, Idempotency, ETags, CallsLeft)  # outermost first
_own = Router()


@_own.get("/senryu/ca.pem")
async def authority(platform: PlatformDep) -> Response:
    """The certificate authority that signs this platform's names, for clients to trust."""
    path = platform.settings.home / "tls" / "ca.pem"
    if not path.is_file():
        raise NotFound("This platform has no certificate authority of its own.")
    return FileResponse(path, media_type="application/x-pem-file")


@_own.get("/senryu/doors")
async def doors(platform: PlatformDep) -> JSONResponse:
    """Where the platform listens, for what forwards to it (`senryu tunnel`)."""
    settings = platform.settings
    ports = {"port": settings.port, "rendezvous_port": settings.rendezvous_port, "tls_port": settings.tls_port}
    return JSONResponse({"domain": settings.domain, **ports})


@_own.get("/senryu/health")
async def health(platform: PlatformDep) -> JSONResponse:
    """Whether the platform can do its work: database, engine and router answer."""
    async with platform.db.reading():
        pass
    await platform.engine.dynos()
    await platform.router.routes()
    return JSONResponse({"status": "ok"})


def all_routes() -> list[tuple[str, str, Callable[..., Any]]]:
    """Method, path and function of every route."""
    return [(call.method, call.path, call.endpoint) for router in (*ROUTERS, _own) for call in router.routes]


def front_door(platform: Platform, beside: Sequence[Route] = ()) -> Starlette:
    """The application, with its collaborators in place; `rendezvous` is added when its port is open. `beside` are routes of other doors."""
    calls = [call for router in (*ROUTERS, _own) for call in router.routes]
    api = Starlette(routes=[Table([*calls, *beside])], middleware=[Middleware(each) for each in _MIDDLEWARE], exception_handlers=HANDLERS)
    api.state.platform, api.state.routes = platform, all_routes()
    api.state.attempts = Attempts()
    api.state.allowance = Allowance()
    api.state.logins = BrowserLogins(platform.clock)
    api.state.reports = Reports()
    return api


def open_terminals(api: Starlette, rendezvous: Rendezvous) -> None:
    """Lets the API hand out terminals."""
    api.state.rendezvous = rendezvous
