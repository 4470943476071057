"""`account quota`: the hours of free and eco dynos; and whom the operator knows (ours).

Source: wire contract 5.3 (`ps`); https://devcenter.heroku.com/articles/eco-dyno-hours
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.register import verify_account
from ..actions.spend_hours import Pool, pools_of
from ..core.errors import Invalid, NotFound
from ..core.usage import month_of
from ..platform import Platform
from ..store.dyno_sizes import list_sizes
from ..store.sleeping import list_sleepers
from .account import shown as shown_account
from .auth import CallerDep, OperatorDep, PlatformDep
from .body import flag, json_body
from .routing import Router

router = Router()


def shown(pool: Pool, month: str) -> dict[str, Any]:
    """Seconds, of which apps used how many."""
    return {
        "account_quota": pool.quota_s,
        "apps": [{"app_uuid": str(app_id), "quota_used": used} for app_id, used in sorted(pool.used_by.items())],
        "month": month,
        "quota_used": pool.used_s,
        "size": pool.size.name,
    }


async def _pool(payer: UUID, wanted: str | None, platform: Platform) -> Pool:
    """The pool asked for, or that of the size which the account's apps have."""
    async with platform.db.reading() as tx:
        sizes = await list_sizes(tx)
        pools = await pools_of(tx, {payer}, sizes, platform.clock.now())
        sleepers = await list_sleepers(tx, {size.key for size in sizes if size.is_pooled})
    own = [pool for sleeper in sleepers if sleeper.payer_id == payer and (pool := sleeper.pool(sizes))]
    key = wanted.lower() if wanted else next(iter(sorted(own)), "eco")
    found = pools.get((payer, key))
    if found is None:
        raise NotFound("Couldn't find hours of that dyno size.")
    return found


@router.get("/accounts/{account}/actions/get-quota")
async def info(account: str, caller: CallerDep, platform: PlatformDep, size: str | None = None) -> JSONResponse:
    """The hours of this month, in seconds: all, used, by app. `?size=free` names one of several."""
    if account not in ("~", str(caller.account.id), caller.account.email):
        raise NotFound("Couldn't find that account.")
    pool = await _pool(caller.account.id, size, platform)
    return JSONResponse(shown(pool, month_of(platform.clock.now())))


@router.patch("/senryu/accounts/{email}")
async def verify(email: str, request: Request, operator: OperatorDep, platform: PlatformDep) -> JSONResponse:
    """Says whether the operator knows whose account this is, which gives it more free hours. Operator only."""
    verified = flag(await json_body(request), "verified")
    if verified is None:
        raise Invalid("`verified` must be true or false.")
    return JSONResponse(shown_account(await verify_account(email, is_verified=verified, db=platform.db, clock=platform.clock)))
