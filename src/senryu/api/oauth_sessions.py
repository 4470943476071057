"""`oauth-session`: here, the tokens that end by themselves, as those of a login do.

Source: https://devcenter.heroku.com/articles/platform-api-reference; wire contract 5.10
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core.account import Authorization
from ..core.errors import NotFound
from ..platform import Platform
from ..store.authorizations import delete_authorization, list_authorizations
from .auth import Caller, CallerDep, PlatformDep
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()


def shown(authorization: Authorization, platform: Platform) -> dict[str, Any]:
    """A session; `expires_in` in seconds."""
    assert authorization.expires_at is not None
    left = (authorization.expires_at - platform.clock.now()).total_seconds()
    return {
        "created_at": iso(authorization.created_at),
        "description": authorization.description,
        "expires_in": max(0, int(left)),
        "id": str(authorization.id),
        "updated_at": iso(authorization.updated_at),
    }


async def _sessions(caller: Caller, platform: Platform) -> list[Authorization]:
    async with platform.db.reading() as tx:
        found = await list_authorizations(tx, caller.account.id)
    now = platform.clock.now()
    return [each for each in found if each.expires_at is not None and each.expires_at > now]


@router.get("/oauth/sessions")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: logins that have not ended. Tokens without an end are under `/oauth/authorizations` only."""
    return listed(request, [shown(each, platform) for each in await _sessions(caller, platform)], fields=("id", "created_at"))


@router.delete("/oauth/sessions/{id}")
async def delete(id: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete: the session's token is worth nothing from now on."""
    for session in await _sessions(caller, platform):
        if str(session.id) == id:
            async with platform.db.transaction() as tx:
                await delete_authorization(tx, session.id)
            return JSONResponse(shown(session, platform))
    raise NotFound("Couldn't find that session; `heroku sessions` lists yours.")
