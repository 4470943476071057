"""The end of following: what `pg:unfollow` asks.

Source: wire contract 5.7; https://devcenter.heroku.com/articles/heroku-postgres-follower-databases
"""

from __future__ import annotations

from starlette.responses import JSONResponse

from ..actions.follow_database import unfollow
from .auth import CallerDep, PlatformDep
from .database_transfers import transfers_of
from .databases import found_database
from .parts import releasing
from .routing import Router

router = Router()


@router.put("/client/v11/databases/{database}/unfollow")
async def end(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Begins to make a follower a database of its own."""
    found = await found_database(database, caller.account, platform, changes=True, is_followed=True)
    await unfollow(found.add_on, by=caller.account, transfers=transfers_of(platform), **releasing(platform))
    return JSONResponse({"message": f"{found.add_on.name} becomes a database of its own; `pg:wait` tells when it is."})
