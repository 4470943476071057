"""Databases on the data API: what `pg:info`, `pg:wait`, `pg:reset`, `pg:killall` and the like ask.

Source: wire contract 5.7, 7; https://devcenter.heroku.com/articles/heroku-postgresql
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..core.account import Account
from ..core.add_on import AddOn, AddOnState, Plan
from ..core.database import DEFAULT, SERVICE_NAME, Databases, Look, checked_extensions, pretty, status_of
from ..core.errors import Conflict, Forbidden, NotFound
from ..core.follower import behind_text, check_is_own
from ..core.permission import Permission
from ..core.transfer import Transfer, TransferKind
from ..platform import Platform
from ..store.add_ons import find_add_on, list_attachments, list_followers
from ..store.credentials import list_credentials
from ..store.database import Transaction
from ..store.transfers import list_transfers
from .auth import CallerDep, PlatformDep
from .body import json_body, uuid_or
from .parts import iso
from .rendezvous import DOOR_HEADER, Rendezvous
from .routing import Router
from .wires import Wire

router = Router()
_UPGRADES = "The server's version is that of this machine's distribution and changes with it, for all databases; nothing is to upgrade."


@dataclass(frozen=True, slots=True)
class Found:
    """A database that the caller may use, with what does it."""

    add_on: AddOn
    plan: Plan
    databases: Databases

    @property
    def of(self) -> UUID:
        """The add-on whose database it is: of a follower, its leader."""
        return self.add_on.follows or self.add_on.id


async def found_database(
    wanted: str, account: Account, platform: Platform, *, changes: bool = False, is_ready: bool = True, is_followed: bool = False
) -> Found:
    """By id or name, for who may see its URL: at the app that pays, or, unless it `changes`, at one that has it attached.

    Raises: NotFound, Forbidden, Conflict for one that is not made yet, or a follower that is to be changed, unless it `is_followed`.
    """
    async with platform.db.reading() as tx:
        add_on = await find_add_on(tx, uuid_or(wanted), vault=platform.vault)
        if add_on is None or add_on.service != SERVICE_NAME or platform.databases is None:
            raise NotFound(f"Couldn't find the database {wanted[:80]}.")
        await _check_may(tx, add_on, account, platform, changes=changes)
    if changes and not is_followed:
        check_is_own(add_on)
    databases = platform.databases if add_on.follows is None or platform.following is None else platform.following.databases
    if is_ready and add_on.state is not AddOnState.PROVISIONED:
        raise Conflict(f"{add_on.name} is {add_on.state.value}; wait with `senryu addons:wait {add_on.name}`.")
    return Found(add_on, platform.suppliers[SERVICE_NAME].service.plan(add_on.plan), databases)


async def _check_may(tx: Transaction, add_on: AddOn, account: Account, platform: Platform, *, changes: bool) -> None:
    if not changes:
        for attachment, _ in await list_attachments(tx, add_on_id=add_on.id, vault=platform.vault):
            with suppress(NotFound, Forbidden):
                await app_for(tx, account, attachment.app_id, needs=Permission.DEPLOY)
                return
    try:
        await app_for(tx, account, add_on.app_id, needs=Permission.DEPLOY)
    except NotFound:
        raise NotFound(f"Couldn't find the database {add_on.name}.") from None


def _rows(add_on: AddOn, plan: Plan, look: Look, credentials: int) -> list[tuple[str, str]]:
    """What `pg:info` shows, in its order. Plans with the default credential only say nothing of them, as at Heroku."""
    used, most = look.usage.bytes, plan.limits["bytes"]
    return [
        ("Plan", plan.human_name),
        ("Status", status_of(look.usage)),
        ("Connections", f"{look.usage.connections}/{plan.limits['connections']}"),
        ("PG Version", look.version),
        ("Created", add_on.created_at.strftime("%Y-%m-%d %H:%M")),
        ("Data Size", f"{pretty(used)} / {pretty(most)} ({used * 100 / most:.2f}%)" + (" (over the limit)" if used > most else "")),
        ("Tables", str(look.tables)),
        ("Statement Timeout", f"{plan.limits['statement_s'] // 3600} h"),
        *([] if plan.slug.startswith("essential") else [("Credentials", str(credentials))]),
    ]


async def _lineage(found: Found, platform: Platform) -> tuple[AddOn | None, list[tuple[str, str]]]:
    """The leader of a follower, and the rows of `pg:info` on who follows whom."""
    async with platform.db.reading() as tx:
        leader = await find_add_on(tx, found.of, vault=platform.vault) if found.add_on.follows else None
        followers = await list_followers(tx, found.add_on.id, vault=platform.vault)
    if leader is not None and platform.following is not None:
        return leader, [("Following", leader.name), ("Behind By", behind_text(await platform.following.behind()))]
    return None, [*_offered(found, platform), *([("Followers", ", ".join(each.name for each in followers))] if followers else [])]


def _offered(found: Found, platform: Platform) -> list[tuple[str, str]]:
    """What can be made of it: standard plans have that, an operator's own server not all of it."""
    days = found.plan.limits["rollback_days"]
    if not days:
        return [("Fork/Follow", "Unsupported"), ("Rollback", "Unsupported")]
    movable = platform.transfers.movables.get(SERVICE_NAME) if platform.transfers else None
    earliest = max(found.add_on.created_at, platform.clock.now() - timedelta(days=days))
    return [
        ("Fork/Follow", "Available" if platform.following else "Fork only"),
        ("Rollback", f"earliest from {earliest:%Y-%m-%d %H:%M} UTC" if movable and movable.keeps_history else "Unsupported"),
    ]


@router.get("/client/v11/databases/{database}")
async def info(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """A database, with the rows that `pg:info` prints."""
    found = await found_database(database, caller.account, platform, is_ready=False)
    add_on = found.add_on
    if add_on.state is not AddOnState.PROVISIONED:
        return JSONResponse({"id": "not_found"}, 404)  # without a message: clients know that it is not there yet
    look = await found.databases.look(found.of)
    async with platform.db.reading() as tx:
        credentials = {DEFAULT, *(each.name for each in await list_credentials(tx, add_on.id, vault=platform.vault))}
    leader, lines = await _lineage(found, platform)
    rows = [*_rows(add_on, found.plan, look, len(credentials)), *lines]
    return JSONResponse(
        {
            "addon_id": str(add_on.id),
            "created_at": iso(add_on.created_at),
            "database_name": look.database,
            "database_user": found.databases.role(found.of, "default"),
            "following": leader.config["URL"] if leader else None,
            "forked_from": None,
            "info": [{"name": name, "values": [value]} for name, value in rows],
            "leader": leader.name if leader else None,
            "name": add_on.name,
            "num_bytes": look.usage.bytes,
            "num_connections": look.usage.connections,
            "num_tables": look.tables,
            "plan": add_on.plan,
            "port": look.port,
            "postgres_version": look.version,
            "resource_url": add_on.config["URL"],
        }
    )


def _waited(add_on: AddOn, *, is_filling: bool = False) -> dict[str, Any]:
    is_waiting = add_on.state is AddOnState.PROVISIONING or is_filling
    return {"waiting?": is_waiting, "error?": False, "message": "preparing" if is_waiting else "available"}


def _is_filling(transfer: Transfer, add_on: AddOn) -> bool:
    """Whether it is what makes the database its own: a fork's filling, or the end of following."""
    kind = TransferKind.COPY if add_on.follows else TransferKind.FORK
    return (transfer.kind, transfer.to_id) == (kind, add_on.id)


@router.get("/client/v11/databases/{database}/wait_status")
async def wait_status(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Whether it is still being made, or filled with the data of another."""
    add_on = (await found_database(database, caller.account, platform, is_ready=False)).add_on
    async with platform.db.reading() as tx:
        under_way = await list_transfers(tx, add_on.app_id, is_open=True)
    is_filling = any(_is_filling(each, add_on) for each in under_way)
    return JSONResponse(_waited(add_on, is_filling=is_filling))


@router.get("/client/v11/databases/{database}/upgrade/wait_status")
async def upgrade_status(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """No upgrade of one database is ever going on."""
    add_on = (await found_database(database, caller.account, platform, is_ready=False)).add_on
    return JSONResponse({**_waited(add_on), "step": None})


@router.post("/client/v11/databases/{database}/upgrade/{action}")
async def upgrade(database: str, action: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Refuses: the server is all databases'."""
    await found_database(database, caller.account, platform, changes=True)
    raise Conflict(_UPGRADES)


@router.put("/client/v11/databases/{database}/reset")
async def reset(database: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Takes all data away. `extensions` are made in `public` afterwards."""
    body = await json_body(request)
    named = body.get("extensions")
    extensions = checked_extensions(named if isinstance(named, list) else [])
    found = await found_database(database, caller.account, platform, changes=True)
    await found.databases.reset(found.add_on.id, found.plan, extensions)
    return JSONResponse({"message": "Reset successful."})


@router.post("/client/v11/databases/{database}/connection_reset")
async def end_connections(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Ends the connections of all credentials."""
    found = await found_database(database, caller.account, platform, changes=True)
    count = await found.databases.end_connections(found.add_on.id)
    return JSONResponse({"message": f"Ended {count} connections."})


@router.put("/client/v11/databases/{database}/stats_reset")
async def reset_statistics(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Counts from 0 again."""
    found = await found_database(database, caller.account, platform, changes=True)
    await found.databases.reset_statistics(found.add_on.id)
    return JSONResponse({"message": "Statistics reset."})


@router.get("/client/v11/databases/{database}/metrics")
async def metrics(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """What a client sends along to a diagnosis, which looks for itself here: nothing."""
    await found_database(database, caller.account, platform)
    return JSONResponse([])


@router.get("/client/v11/databases/{database}/burst_status")
async def burst_status(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """See metrics."""
    await found_database(database, caller.account, platform)
    return JSONResponse({})


@router.get("/client/v11/databases/{database}/links")
async def links(database: str, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Tables of other databases linked into this one: never any, as databases do not reach one another."""
    await found_database(database, caller.account, platform)
    return JSONResponse([])


@router.post("/client/v11/databases/{database}/wires")
async def open_wire(database: str, request: Request, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """A way to the database for one connection from anywhere (ours): `attach_url` is like that of a one-off dyno."""
    found = await found_database(database, caller.account, platform)
    look = await found.databases.look(found.of)
    rendezvous: Rendezvous = request.app.state.rendezvous
    url = rendezvous.expect(Wire(look.host, look.port), request.headers.get(DOOR_HEADER))
    return JSONResponse({"attach_url": url}, 201)
