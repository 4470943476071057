"""Telling the router where an app's requests go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from ..core.app import App
from ..core.dyno import Dyno, DynoKind
from ..core.formation import Wanted
from ..core.route import Route, RouteMode, hosts_of, mode_of, page_url, targets_of


def route_of(
    app: App, wanted: Wanted, dynos: Sequence[Dyno], addresses: Mapping[UUID, str], domains: Sequence[str], platform_domain: str
) -> Route:
    """The route an app should have, from what its dynos are. Pure."""
    web = [dyno for dyno in dynos if dyno.kind is DynoKind.FORMATION and dyno.type == "web"]
    targets = targets_of(web, addresses)
    release = wanted.release
    has_code = release is not None and release.slug_id is not None
    config = release.config_vars if release else {}
    mode = mode_of(
        wanted.quantities.get("web", 0),
        web,
        has_code=has_code,
        is_maintenance=app.is_maintenance,
        is_serving=any(not target.is_draining for target in targets),
        sleep=wanted.sleep,
    )
    leads_to_dynos = mode in (RouteMode.SERVE, RouteMode.MAINTENANCE, RouteMode.BOOT, RouteMode.STOPPED, RouteMode.IDLE)
    return Route(
        app_id=app.id,
        app_name=app.name,
        hosts=hosts_of(app.name, platform_domain, domains),
        mode=mode,
        targets=targets if leads_to_dynos else (),
        error_page_url=page_url(config.get("ERROR_PAGE_URL")),
        maintenance_page_url=page_url(config.get("MAINTENANCE_PAGE_URL")),
    )
