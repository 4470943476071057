"""`account`, `account/rate-limits`, and registration (ours: Heroku's is a web page)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.authenticate import authorize, check_password, hash_password
from ..actions.register import invite_account, register
from ..actions.two_factor import check_code
from ..core.account import Account, checked_password
from ..core.errors import Forbidden, Unauthorized
from ..core.two_factor import HEADER
from ..platform import Platform
from ..store.accounts import find_account, set_registration_open, update_account
from ..store.two_factors import accounts_with_two_factor
from .auth import Allowance, CallerDep, OperatorDep, PlatformDep, caller, guard_of
from .body import flag, json_body, needed_text, text
from .parts import iso
from .routing import Router

router = Router()


def shown(account: Account, *, has_two_factor: bool = False) -> dict[str, Any]:
    """The schema's `account`."""
    return {
        "allow_tracking": False,
        "beta": False,
        "country_of_residence": None,
        "created_at": iso(account.created_at),
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "email": account.email,
        "federated": False,
        "id": str(account.id),
        "identity_provider": None,
        "last_login": iso(account.last_login),
        "name": account.name,
        "sms_number": None,
        "suspended_at": None,
        "two_factor_authentication": has_two_factor,
        "updated_at": iso(account.updated_at),
        "verified": account.is_verified or account.is_operator,
        "is_operator": account.is_operator,
    }


@router.get("/account")
@router.get("/users/~")
async def info(caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info."""
    return JSONResponse(await _shown(caller.account, platform))


async def _shown(account: Account, platform: Platform) -> dict[str, Any]:
    async with platform.db.reading() as tx:
        has_two_factor = account.id in await accounts_with_two_factor(tx, {account.id})
    return shown(account, has_two_factor=has_two_factor)


async def prove(request: Request, account: Account, password: str) -> None:
    """A token is not enough: the password too. Raises: Unauthorized, RateLimited."""
    guard = guard_of(request)
    await check_password(account.email, password, place=guard.place, db=guard.db, clock=guard.clock, attempts=guard.attempts)


@router.patch("/account")
async def update(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: name, or the password with the present one and a code of the second factor."""
    body = await json_body(request)
    changes: dict[str, Any] = {"updated_at": platform.clock.now()}
    if "name" in body:
        changes["name"] = text(body, "name", most=100)
    if body.get("new_password") is not None:
        await prove(request, caller.account, needed_text(body, "password", most=1024))
        await check_code(caller.account, request.headers.get(HEADER), guard=guard_of(request))
        changes["password_hash"] = await hash_password(checked_password(needed_text(body, "new_password", most=1024)))
    async with platform.db.transaction() as tx:
        account = replace(await find_account(tx, caller.account.id) or caller.account, **changes)
        await update_account(tx, account)
    return JSONResponse(await _shown(account, platform))


@router.get("/account/rate-limits")
async def rate_limits(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Rate limit info."""
    allowance: Allowance = request.app.state.allowance
    return JSONResponse({"remaining": allowance.left(caller.authorization.token_hash, platform.clock.monotonic())})


@router.post("/senryu/registrations")
async def create(request: Request, platform: PlatformDep) -> JSONResponse:
    """Makes an account and gives it a token: the first one, an invited one, or any while registration is open."""
    body = await json_body(request)
    account = await register(
        needed_text(body, "email", most=254),
        needed_text(body, "password", most=1024),
        text(body, "name", most=100),
        db=platform.db,
        clock=platform.clock,
        invitation=text(body, "invitation", most=200),
        by_operator=await _is_operator(request),
    )
    async with platform.db.transaction() as tx:
        _, token = await authorize(account, tx, clock=platform.clock, description="Registration")
    return JSONResponse({**shown(account), "access_token": {"token": token}}, 201)


async def _is_operator(request: Request) -> bool:
    if not request.headers.get("authorization"):
        return False
    try:
        return (await caller(request)).account.is_operator
    except (Unauthorized, Forbidden):
        return False


@router.post("/senryu/invitations")
async def invite(request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """An invitation for an address; the answer has the code to register with."""
    email = needed_text(await json_body(request), "email", most=254)
    code = await invite_account(email, by=operator.account, db=platform.db, clock=platform.clock)
    return JSONResponse({"email": email, "invitation": code}, 201)


@router.patch("/senryu/registration")
async def open_registration(request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Opens or closes registration for everyone."""
    is_open = bool(flag(await json_body(request), "open"))
    async with platform.db.transaction() as tx:
        await set_registration_open(tx, is_open)
    return JSONResponse({"open": is_open})
