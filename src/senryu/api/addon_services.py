"""`add-on-service`, `plan`.

Source: schemas `add-on-service`, `plan`; wire contract 5.6.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.add_on import AddOnService, Plan, chosen, plan_id, service_id
from ..core.errors import Invalid, NotFound
from ..platform import Platform
from .auth import CallerDep, PlatformDep
from .ranges import listed
from .routing import Router

router = Router()
_BEGINNING = "2026-01-01T00:00:00Z"  # services and plans are code: they have no time of their own


def shown_service(service: AddOnService) -> dict[str, Any]:
    """The schema's `add-on-service`."""
    return {
        "cli_plugin_name": None,
        "created_at": _BEGINNING,
        "human_name": service.human_name,
        "id": str(service_id(service)),
        "name": service.name,
        "state": "ga",
        "supports_multiple_installations": service.supports_multiple,
        "supports_sharing": service.supports_sharing,
        "updated_at": _BEGINNING,
    }


def shown_plan(plan: Plan, service: AddOnService) -> dict[str, Any]:
    """The schema's `plan`, with `price.metered`, which clients read beyond it."""
    return {
        "addon_service": {"id": str(service_id(service)), "name": service.name},
        "compliance": None,
        "created_at": _BEGINNING,
        "default": plan.is_default,
        "description": f"{service.human_name} {plan.human_name}",
        "human_name": plan.human_name,
        "id": str(plan_id(plan)),
        "installable_inside_private_network": False,
        "installable_outside_private_network": True,
        "name": plan.name,
        "price": shown_price(plan),
        "space_default": False,
        "state": "ga",
        "updated_at": _BEGINNING,
        "visible": True,
    }


def shown_price(plan: Plan) -> dict[str, Any]:
    """What a plan costs a month, in cents."""
    return {"cents": plan.price_cents, "contract": False, "metered": False, "unit": "month"}


def _service(name: str, platform: Platform) -> AddOnService:
    for supplier in platform.suppliers.values():
        if str(service_id(supplier.service)) == name:
            return supplier.service
    try:
        return chosen(platform.suppliers, name.partition(":")[0])[0].service
    except Invalid:
        raise NotFound(f"Couldn't find the add-on service {name[:80]}; `senryu addons:services` lists those there are.") from None


@router.get("/addon-services")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    services = [shown_service(supplier.service) for supplier in platform.suppliers.values()]
    return listed(request, services, fields=("name", "id"))


@router.get("/addon-services/{service}")
async def info(service: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info, also by another name of the service."""
    return JSONResponse(shown_service(_service(service, platform)))


@router.get("/addon-services/{service}/plans")
async def plans(service: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List plans of a service, the cheapest first."""
    found = _service(service, platform)
    ordered = sorted(found.plans, key=lambda plan: plan.price_cents)
    return listed(request, [shown_plan(plan, found) for plan in ordered], fields=("name", "id"))
