"""`key`: an account's SSH public keys.

Source: schema `key`
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.ssh_keys import add_ssh_key, remove_ssh_key
from ..core.account import Account
from ..core.errors import NotFound
from ..core.ssh_key import SshKey
from ..store.ssh_keys import list_ssh_keys
from .auth import CallerDep, PlatformDep
from .body import json_body, needed_text
from .parts import iso
from .ranges import listed
from .routing import Router

router = Router()


def shown(key: SshKey, account: Account) -> dict[str, Any]:
    """The schema's `key`."""
    return {
        "comment": key.comment,
        "created_at": iso(key.created_at),
        "email": account.email,
        "fingerprint": key.fingerprint,
        "id": str(key.id),
        "public_key": key.public_key,
        "updated_at": iso(key.updated_at),
    }


@router.get("/account/keys")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List."""
    async with platform.db.reading() as tx:
        keys = await list_ssh_keys(tx, caller.account.id)
    return listed(request, [shown(key, caller.account) for key in keys], fields=("id", "updated_at"))


@router.get("/account/keys/{key}")
async def info(key: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info, by id or fingerprint."""
    async with platform.db.reading() as tx:
        for each in await list_ssh_keys(tx, caller.account.id):
            if key in (str(each.id), each.fingerprint):
                return JSONResponse(shown(each, caller.account))
    raise NotFound("Couldn't find that SSH key.")


@router.post("/account/keys")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create. git over SSH is not served; keys are kept for clients that manage them."""
    line = needed_text(await json_body(request), "public_key", most=16 * 1024)
    return JSONResponse(shown(await add_ssh_key(line, by=caller.account, db=platform.db, clock=platform.clock), caller.account), 201)


@router.delete("/account/keys/{key}")
async def delete(key: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete, by id or fingerprint."""
    return JSONResponse(shown(await remove_ssh_key(key, by=caller.account, db=platform.db), caller.account))
