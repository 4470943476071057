"""Backups, restores and copies of databases, as the data API has them.

Source: wire contract 7; https://devcenter.heroku.com/articles/heroku-postgres-backups
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..actions.move_data import Side, back_up, copy, restore
from ..actions.transfers import Transfers
from ..core.add_on import AddOn
from ..core.address import checked_address
from ..core.app import App
from ..core.archive import DatabaseAddress
from ..core.errors import Conflict, Invalid, NotFound, Unavailable
from ..core.follower import check_is_own
from ..core.limits import BACKUP_LINK_S
from ..core.permission import Permission
from ..core.transfer import Transfer, TransferKind, number_of
from ..platform import Platform
from ..store.add_ons import find_add_on, list_attachments
from ..store.transfers import find_transfer, list_transfers
from ..streamed import Streamed
from .asked import Depends
from .auth import AppDep, Caller, CallerDep, PlatformDep
from .body import json_body, needed_text, text, uuid_or
from .links import opened, origin, signed
from .parts import iso
from .routing import Router

router = Router()
_OURS = re.compile(r"^/senryu/backups/(?P<rest>[A-Za-z0-9._-]+)(?:/[^/]*)?\Z")
_LINK = "backup"
_DATABASE_PORT = 5432
_TYPES = {
    TransferKind.BACKUP: ("pg_dump", "gof3r"),
    TransferKind.RESTORE: ("gof3r", "pg_restore"),
    TransferKind.COPY: ("pg_dump", "pg_restore"),
    TransferKind.FORK: ("pg_dump", "pg_restore"),
}


def shown(transfer: Transfer, platform: Platform, *, verbose: bool = False) -> dict[str, Any]:
    """The data API's transfer; what a program said only when asked for."""
    from_type, to_type = _TYPES[transfer.kind]
    own = f"{origin(platform)}/senryu/backups/{transfer.id}" if transfer.kind is TransferKind.BACKUP else None
    return {
        "canceled_at": iso(transfer.canceled_at),
        "created_at": iso(transfer.created_at),
        "finished_at": iso(transfer.finished_at),
        "from_name": transfer.from_name,
        "from_type": from_type,
        "from_url": transfer.source or None,
        "logs": [{"created_at": at, "message": line} for at, line in transfer.lines] if verbose else [],
        "num": transfer.num,
        "options": {},
        "processed_bytes": transfer.processed_bytes,
        "schedule": {"name": transfer.schedule} if transfer.schedule else None,
        "source_bytes": transfer.source_bytes,
        "started_at": iso(transfer.started_at),
        "succeeded": transfer.succeeded if transfer.finished_at else None,
        "to_name": transfer.to_name,
        "to_type": to_type,
        "to_url": own,
        "updated_at": iso(transfer.finished_at or transfer.started_at or transfer.created_at),
        "uuid": str(transfer.id),
        "warnings": transfer.warnings,
    }


def transfers_of(platform: Platform) -> Transfers:
    """Raises: Unavailable on a platform without databases."""
    if platform.transfers is None:
        raise Unavailable("This platform has no databases to back up.")
    return platform.transfers


async def _database(wanted: str, caller: Caller, platform: Platform, needs: Permission) -> AddOn:
    async with platform.db.reading() as tx:
        add_on = await find_add_on(tx, uuid_or(wanted), vault=platform.vault)
        if add_on is None or add_on.service not in transfers_of(platform).movables:
            raise NotFound(f"Couldn't find the database {wanted[:80]}.")
        try:
            await app_for(tx, caller.account, add_on.app_id, needs=needs)
        except NotFound:
            raise NotFound(f"Couldn't find the database {wanted[:80]}.") from None
    return add_on


async def changed_database(database: str, caller: CallerDep, platform: PlatformDep) -> AddOn:
    """The database in the path, for those who may change config vars. Raises: NotFound, Forbidden, Conflict for a follower."""
    found = await _database(database, caller, platform, Permission.DEPLOY)
    check_is_own(found)
    return found


async def seen_database(database: str, caller: CallerDep, platform: PlatformDep) -> AddOn:
    """The database in the path, for those who may see it. Raises: NotFound."""
    return await _database(database, caller, platform, Permission.VIEW)


async def changed_app(app: str, caller: CallerDep, platform: PlatformDep) -> App:
    """The app in the path, for those who may change config vars: whoever has a backup has them all. Raises: NotFound, Forbidden."""
    async with platform.db.reading() as tx:
        return await app_for(tx, caller.account, uuid_or(app), needs=Permission.DEPLOY)


ChangedDatabase = Annotated[AddOn, Depends(changed_database)]
SeenDatabase = Annotated[AddOn, Depends(seen_database)]
ChangedApp = Annotated[App, Depends(changed_app)]


async def _of_app(app: App, wanted: str, platform: Platform) -> Transfer:
    """By number (`b001` too) or id. Raises: NotFound, Invalid."""
    key = uuid_or(wanted)
    async with platform.db.reading() as tx:
        found = await find_transfer(tx, key if isinstance(key, UUID) else number_of(wanted), app.id)
    if found is None:
        raise NotFound(f"Couldn't find the backup {wanted[:40]} of {app.name}.", app=app.name)
    return found


@router.get("/client/v11/apps/{app}/transfers")
async def index(app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Backups, restores and copies of an app's databases."""
    async with platform.db.reading() as tx:
        found = await list_transfers(tx, app.id)
    return JSONResponse([shown(transfer, platform) for transfer in found])


@router.get("/client/v11/apps/{app}/transfers/{transfer}")
async def info(transfer: str, request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """One of them, by number or id; with `verbose=true` also what its program said."""
    found = await _of_app(app, transfer, platform)
    return JSONResponse(shown(found, platform, verbose=request.query_params.get("verbose") == "true"))


@router.delete("/client/v11/apps/{app}/transfers/{transfer}")
async def delete(transfer: str, app: ChangedApp, platform: PlatformDep) -> JSONResponse:
    """Forgets one, and its archive."""
    found = await _of_app(app, transfer, platform)
    await transfers_of(platform).delete(found)
    return JSONResponse(shown(found, platform))


@router.post("/client/v11/apps/{app}/transfers/{transfer}/actions/cancel")
async def cancel(transfer: str, app: ChangedApp, platform: PlatformDep) -> JSONResponse:
    """Ends one that is under way."""
    found = await _of_app(app, transfer, platform)
    return JSONResponse(shown(await transfers_of(platform).cancel(found), platform))


@router.post("/client/v11/apps/{app}/transfers/{transfer}/actions/public-url")
async def public_url(transfer: str, app: ChangedApp, platform: PlatformDep) -> JSONResponse:
    """An address that gives the archive to whoever has it, for an hour. Always https, as clients ask no other."""
    found = await _of_app(app, transfer, platform)
    if found.kind is not TransferKind.BACKUP or not found.succeeded:
        raise Conflict(f"{found.name} is no finished backup; `pg:backups` lists them.", app=app.name)
    expires = platform.clock.now() + timedelta(seconds=BACKUP_LINK_S)
    url = f"{_tls_origin(platform)}/senryu/backups/{signed(_LINK, found.id, BACKUP_LINK_S, platform)}/{found.name}.dump"
    return JSONResponse({"expires_at": iso(expires), "url": url})


def _tls_origin(platform: Platform) -> str:
    found = origin(platform)
    if found.startswith("https://"):
        return found
    host = urlsplit(found).hostname or "localhost"
    return f"https://{host}:{platform.settings.tls_port}"


@router.get("/senryu/backups/{token}/{name}")
async def download(token: str, name: str, platform: PlatformDep) -> Streamed:
    """The archive. The URL is its own permission."""
    id = opened(_LINK, token, platform)
    async with platform.db.reading() as tx:
        found = await find_transfer(tx, id)
    if found is None:
        raise NotFound("This backup was deleted.")
    size = await platform.blobs.size(found.key)
    headers = {"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{found.name}.dump"'}
    return Streamed(platform.blobs.get(found.key), media_type="application/octet-stream", headers=headers)


@router.post("/client/v11/databases/{database}/backups")
async def capture(database: ChangedDatabase, platform: PlatformDep) -> JSONResponse:
    """Begins a backup."""
    return JSONResponse(shown(await back_up(database, transfers=transfers_of(platform)), platform), 201)


@router.post("/client/v11/databases/{database}/restores")
async def begin_restore(request: Request, database: ChangedDatabase, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Begins a restore of a backup of ours (its `to_url`, or a public address) or of what is at any public address."""
    body = await json_body(request)
    url, extensions = needed_text(body, "backup_url", most=8192), body.get("extensions") or []
    if not isinstance(extensions, list) or len(extensions) > 50 or not all(isinstance(name, str) for name in extensions):
        raise Invalid("`extensions` must be a list of names.")
    parts = _split(url, "The backup's address is not well formed; use an http or https one.")
    ours = _OURS.match(parts.path)
    is_here = ours is not None and f"{parts.scheme}://{parts.netloc}" in (origin(platform), _tls_origin(platform))
    backup = await _ours(ours["rest"], caller, platform) if ours and is_here else None
    name = backup.name if backup else f"{parts.scheme}://{(parts.netloc).rpartition('@')[2]}{parts.path}"[:200]
    begun = await restore(
        database,
        transfers=transfers_of(platform),
        key=backup.key if backup else None,
        url=url,
        name=name,
        extensions=extensions,
        resolver=platform.resolver,
        allow_private=platform.settings.allow_private_backups,
    )
    return JSONResponse(shown(begun, platform), 201)


async def _ours(rest: str, caller: Caller, platform: Platform) -> Transfer:
    """A backup by its id, for those who have its app, or by a signed address. Raises: NotFound, Forbidden, Conflict."""
    id = uuid_or(rest)
    async with platform.db.reading() as tx:
        found = await find_transfer(tx, id if isinstance(id, UUID) else opened(_LINK, rest, platform))
        if found is None or found.kind is not TransferKind.BACKUP:
            raise NotFound("Couldn't find that backup; `pg:backups` lists those there are.")
        if isinstance(id, UUID):
            await app_for(tx, caller.account, found.app_id, needs=Permission.DEPLOY)
    if not found.succeeded:
        raise Conflict(f"{found.name} did not complete; choose another backup.")
    return found


@router.post("/client/v11/databases/{database}/transfers")
async def begin_copy(request: Request, database: ChangedDatabase, caller: CallerDep, platform: PlatformDep) -> JSONResponse:
    """Begins a copy of all data from one database to another; one of them at least is ours."""
    body = await json_body(request)
    source = await _side(needed_text(body, "from_url", most=2048), caller, platform)
    target = await _side(needed_text(body, "to_url", most=2048), caller, platform)
    if database.id not in [side.id for side in (source, target) if isinstance(side, AddOn)]:
        raise Invalid("The database of this call must be the source or the target of the copy.")
    named = (text(body, "from_name", most=255) or "", text(body, "to_name", most=255) or "")
    return JSONResponse(shown(await copy(source, target, names=named, transfers=transfers_of(platform)), platform), 201)


async def _side(url: str, caller: Caller, platform: Platform) -> Side:
    """One of our databases that the caller may change, or one elsewhere. Raises: Invalid, Forbidden."""
    async with platform.db.reading() as tx:
        entries: Sequence[AddOn] = [add_on for _, add_on in await list_attachments(tx, vault=platform.vault)]
        for add_on in entries:
            if add_on.config.get("URL") == url:
                await app_for(tx, caller.account, add_on.app_id, needs=Permission.DEPLOY)
                return add_on
    return await _elsewhere(url, platform)


def _split(url: str, otherwise: str) -> SplitResult:
    """Raises: Invalid with `otherwise`; what the parser says may have a password in it."""
    try:
        return urlsplit(url)
    except ValueError:
        raise Invalid(otherwise) from None


async def _elsewhere(url: str, platform: Platform) -> DatabaseAddress:
    otherwise = "A database elsewhere is named like postgres://user:password@host:5432/database."
    parts = _split(url, otherwise)
    try:
        port = parts.port or _DATABASE_PORT
    except ValueError:
        port = 0
    database = unquote(parts.path.strip("/"))
    if parts.scheme not in ("postgres", "postgresql") or not (parts.hostname and parts.username and database and port):
        raise Invalid(otherwise)
    found = await platform.resolver.addresses(parts.hostname, port)
    pinned = checked_address(found, port, what="the database", allow_private=platform.settings.allow_private_backups)
    user, password = unquote(parts.username), unquote(parts.password or "")
    return DatabaseAddress(parts.hostname, port, database, user, password, address=pinned, must_encrypt=True)
