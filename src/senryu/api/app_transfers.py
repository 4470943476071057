"""`app-transfer`.

Source: schema `app-transfer`
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..actions.transfer import answer_offer, offer, withdraw
from ..core.app import App
from ..core.app_transfer import AppTransfer
from ..core.errors import Invalid, NotFound
from ..core.permission import Permission
from ..platform import Platform
from ..store.accounts import find_accounts
from ..store.app_transfers import list_transfers
from ..store.apps import find_app
from .auth import Caller, CallerDep, PlatformDep
from .body import json_body, named, text
from .parts import iso, telling
from .ranges import listed
from .routing import Router

router = Router()


async def _shown(transfers: list[AppTransfer], platform: Platform) -> list[dict[str, Any]]:
    """The schema's `app-transfer`."""
    async with platform.db.reading() as tx:
        accounts = await find_accounts(tx, {id for each in transfers for id in (each.owner_id, each.recipient_id)})
        apps = [await find_app(tx, each.app_id) for each in transfers]
    return [
        {
            "app": {"id": str(each.app_id), "name": app.name if app else ""},
            "created_at": iso(each.created_at),
            "id": str(each.id),
            "owner": {"email": accounts[each.owner_id].email, "id": str(each.owner_id)},
            "recipient": {"email": accounts[each.recipient_id].email, "id": str(each.recipient_id)},
            "state": each.state,
            "updated_at": iso(each.updated_at),
        }
        for each, app in zip(transfers, apps, strict=True)
    ]


async def _found(wanted: str, caller: Caller, platform: Platform) -> tuple[AppTransfer, App]:
    """A transfer the account is part of, by its id or its app's name or id; the newest. Raises: NotFound."""
    async with platform.db.reading() as tx:
        for each in reversed(await list_transfers(tx, caller.account.id)):
            app = await find_app(tx, each.app_id)
            if app and wanted in (str(each.id), app.name, str(app.id)):
                return each, app
    raise NotFound(f"Couldn't find the transfer {wanted[:80]}.")


@router.get("/account/app-transfers")
async def index(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """List: offers the account made or was made."""
    async with platform.db.reading() as tx:
        found = await list_transfers(tx, caller.account.id)
    return listed(request, await _shown(found, platform), fields=("created_at", "id"))


@router.post("/account/app-transfers")
async def create(request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Create: offers an app to another account, which may accept it. Owner only."""
    body = await json_body(request)
    name, recipient = named(body, "app"), named(body, "recipient")
    if not name or not recipient:
        raise Invalid("`app` and `recipient` must be given.")
    async with platform.db.reading() as tx:
        app = await app_for(tx, caller.account, name, needs=Permission.MANAGE)
    made, _ = await offer(app, recipient, by=caller.account, **telling(platform))
    return JSONResponse((await _shown([made], platform))[0], 201)


@router.get("/account/app-transfers/{transfer}")
async def info(transfer: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Info, by the transfer's id or the app's name."""
    found, _ = await _found(transfer, caller, platform)
    return JSONResponse((await _shown([found], platform))[0])


@router.patch("/account/app-transfers/{transfer}")
async def update(transfer: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Update: the recipient accepts or declines."""
    state = text(await json_body(request), "state")
    if state not in ("accepted", "declined"):
        raise Invalid("`state` must be accepted or declined.")
    found, app = await _found(transfer, caller, platform)
    answered = await answer_offer(found, app, accepts=state == "accepted", by=caller.account, **telling(platform))
    return JSONResponse((await _shown([answered], platform))[0])


@router.delete("/account/app-transfers/{transfer}")
async def delete(transfer: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Delete: its maker takes an offer back."""
    found, _ = await _found(transfer, caller, platform)
    answer = (await _shown([found], platform))[0]
    await withdraw(found, by=caller.account, **telling(platform))
    return JSONResponse(answer)
