"""Second factors (ours: Heroku's are set up on its web pages). Logins ask for the code in the header Heroku-Two-Factor-Code.

Source: https://devcenter.heroku.com/articles/multi-factor-authentication; wire contract sections 3 and 4
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.two_factor import begin_two_factor, disable_two_factor, enable_two_factor, renew_recovery_codes, reset_two_factor
from ..core.two_factor import HEADER
from ..store.two_factors import accounts_with_two_factor, count_recovery_codes
from .account import prove
from .auth import CallerDep, OperatorDep, PlatformDep, guard_of
from .body import json_body, needed_text
from .routing import Router

router = Router()
_UNSTORED = {"Cache-Control": "no-store"}


@router.get("/senryu/two-factor")
async def info(caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Whether it is enabled, and how many recovery codes are left."""
    async with platform.db.reading() as tx:
        is_enabled = caller.account.id in await accounts_with_two_factor(tx, {caller.account.id})
        left = await count_recovery_codes(tx, caller.account.id)
    return JSONResponse({"enabled": is_enabled, "recovery_codes_left": left})


@router.post("/senryu/two-factor")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Begins: the seed for an authenticator app. Takes the password, so that a stolen token locks nobody out."""
    await prove(request, caller.account, needed_text(await json_body(request), "password", most=1024))
    made, uri = await begin_two_factor(caller.account, db=platform.db, vault=platform.vault, clock=platform.clock)
    return JSONResponse({"enabled": False, "secret": made.seed, "provisioning_uri": uri}, 201, _UNSTORED)


@router.patch("/senryu/two-factor")
async def update(request: Request, caller: CallerDep) -> JSONResponse:
    """Enables what was begun, by a first code; the recovery codes are shown this once."""
    code = needed_text(await json_body(request), "code", most=64)
    codes = await enable_two_factor(caller.account, code, guard=guard_of(request))
    return JSONResponse({"enabled": True, "recovery_codes": codes}, 200, _UNSTORED)


@router.post("/senryu/two-factor/recovery-codes")
async def renew(request: Request, caller: CallerDep) -> JSONResponse:
    """New recovery codes in place of the old ones; takes a code."""
    codes = await renew_recovery_codes(caller.account, request.headers.get(HEADER), guard=guard_of(request))
    return JSONResponse({"enabled": True, "recovery_codes": codes}, 201, _UNSTORED)


@router.delete("/senryu/two-factor")
async def delete(request: Request, caller: CallerDep) -> JSONResponse:
    """Disables it; takes a code."""
    await disable_two_factor(caller.account, request.headers.get(HEADER), guard=guard_of(request))
    return JSONResponse({"enabled": False})


@router.post("/senryu/two-factor/resets")
async def reset(request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Takes the second factor of somebody who lost it away; for the operator."""
    account = await reset_two_factor(needed_text(await json_body(request), "email", most=254), db=platform.db)
    return JSONResponse({"email": account.email, "enabled": False})
