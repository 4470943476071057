"""`invoice`, `team-invoice`, and what they are made of (ours): usage by app, dyno and add-on.

Source: schemas `invoice`, `team-invoice` (totals in cents; `state` 0 is open, 1 is final)
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.bill import bill, bills
from ..core.errors import NotFound
from ..core.team import Role
from ..core.usage import Charge, Statement, bounds, checked_month, month_of
from ..platform import Platform
from ..store.teams import find_member, find_team
from .auth import Caller, CallerDep, PlatformDep
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()


def number_of(month: str) -> int:
    """`2026-11` is invoice 202611."""
    return int(month.replace("-", ""))


def shown(made: Statement, *, is_team: bool = False) -> dict[str, Any]:
    """The schema's `invoice`, or `team-invoice`."""
    first, following = bounds(made.month)
    state, at = (0 if made.is_open else 1), iso(following)
    whole = {
        "charges_total": made.cents,
        "created_at": iso(first),
        "credits_total": 0,
        "id": str(made.id),
        "number": number_of(made.month),
        "period_end": iso(following),
        "period_start": iso(first),
        "state": state,
        "total": made.cents,
        "updated_at": at,
    }
    if not is_team:
        return whole
    add_ons = sum(charge.cents for charge in made.charges if charge.total.kind == "add-on")
    hours = made.seconds("dyno") / 3600
    return whole | {
        "addons_total": add_ons,
        "database_total": 0,
        "dyno_units": round(hours / 720, 3),
        "payment_status": "Pending" if made.is_open else "Paid",
        "platform_total": made.cents - add_ons,
        "weighted_dyno_hours": round(hours, 3),
    }


def shown_charge(charge: Charge) -> dict[str, Any]:
    """One line: what ran for how many seconds at which monthly price, and what it comes to, in cents."""
    total = charge.total
    return {
        "app": {"id": str(total.app_id), "name": total.app_name} if total.kind != "pool" else None,
        "cents": charge.cents,
        "kind": total.kind,
        "name": total.name,
        "price_cents": total.price_cents,
        "seconds": total.microseconds // 1_000_000,
        "size": total.size,
    }


def _detailed(made: Statement) -> dict[str, Any]:
    return shown(made) | {"lines": [shown_charge(charge) for charge in made.charges], "month": made.month}


async def _payer(caller: Caller, team: str | None, platform: Platform) -> UUID:
    """Whose: the caller's own, or a team's whose administrator they are. Raises: NotFound."""
    if team is None:
        return caller.account.id
    async with platform.db.reading() as tx:
        found = await find_team(tx, team)
        member = await find_member(tx, found.id, caller.account.id) if found else None
    if found is None or member is None or member.role is not Role.ADMIN:
        raise NotFound("Couldn't find that team.")
    return found.id


async def _all(payer: UUID, platform: Platform) -> list[Statement]:
    async with platform.db.reading() as tx:
        return await bills(tx, payer, suppliers=platform.suppliers, now=platform.clock.now())


async def _one(payer: UUID, number: str, platform: Platform) -> Statement:
    for made in await _all(payer, platform):
        if number in (str(number_of(made.month)), str(made.id), made.month):
            return made
    raise NotFound("Couldn't find that invoice.")


@router.get("/account/invoices")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: one for each month."""
    return listed(request, [shown(made) for made in await _all(caller.account.id, platform)], fields=("number", "id"))


@router.get("/account/invoices/{number}")
async def info(number: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info; its number is year and month, such as 202611."""
    return JSONResponse(shown(await _one(caller.account.id, number, platform)))


@router.get("/teams/{team}/invoices")
async def of_team(team: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: a team's, for its administrators."""
    found = await _all(await _payer(caller, team, platform), platform)
    return listed(request, [shown(made, is_team=True) for made in found], fields=("number", "id"))


@router.get("/teams/{team}/invoices/{number}")
async def of_team_info(team: str, number: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info: a team's."""
    return JSONResponse(shown(await _one(await _payer(caller, team, platform), number, platform), is_team=True))


@router.get("/senryu/statements/{month}")
async def statement(month: str, caller: CallerDep, platform: PlatformDep, team: str | None = None) -> JSONResponse:
    """A month line by line: each app's dynos and add-ons with their seconds, price and cents. `now` is this month; `?team=` a team's."""
    now = platform.clock.now()
    wanted = month_of(now) if month == "now" else checked_month(month)
    payer = await _payer(caller, team, platform)
    async with platform.db.reading() as tx:
        return JSONResponse(_detailed(await bill(tx, payer, wanted, suppliers=platform.suppliers, now=now)))
