"""What a backup, a restore and a copy do: from a database into an archive, from an archive into a database.

Source: https://devcenter.heroku.com/articles/heroku-postgres-backups, /articles/heroku-postgres-import-export
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from ..core.add_on import AddOn
from ..core.address import Resolver
from ..core.archive import DatabaseAddress, Movable, restorable
from ..core.errors import Conflict, Invalid
from ..core.limits import BACKUP_MAX_BYTES, TRANSFER_TIMEOUT_S
from ..core.transfer import Transfer, TransferKind
from ..store.database import Transaction
from .fetch_source import fetch, judged
from .transfers import Report, Transfers

_LOOK_S = 3.0
Side = AddOn | DatabaseAddress  # a database of ours, or one elsewhere


async def back_up(
    add_on: AddOn, *, transfers: Transfers, schedule: str | None = None, also: Callable[[Transaction], Awaitable[None]] | None = None
) -> Transfer:
    """Begins a backup. Raises: Conflict, Unavailable."""
    transfers.movable(add_on)
    draft = await transfers.draft(TransferKind.BACKUP, add_on.app_id, of=add_on)

    async def work(report: Report) -> int:
        async with asyncio.timeout(TRANSFER_TIMEOUT_S):
            await into_archive(add_on, report, transfers)
        return 0

    return await transfers.begin(work, replace(draft, schedule=schedule), also=also)


async def restore(
    add_on: AddOn,
    *,
    transfers: Transfers,
    key: str | None = None,
    url: str = "",
    name: str = "",
    extensions: Sequence[str] = (),
    resolver: Resolver,
    allow_private: bool,
) -> Transfer:
    """Begins a restore of the archive at `key`, or of one at a public `url`, into a database with `extensions`.

    Raises: Conflict, Unavailable, Invalid.
    """
    transfers.movable(add_on)
    draft = await transfers.draft(TransferKind.RESTORE, add_on.app_id, to=add_on)
    if key is None:  # refused now as it would be then
        await judged(url, "the backup", resolver=resolver, allow_private=allow_private)

    async def work(report: Report) -> int:
        async with asyncio.timeout(TRANSFER_TIMEOUT_S):
            archive = key
            if archive is None:
                archive = report.transfer.key
                await fetch(
                    url, archive, "the backup", BACKUP_MAX_BYTES, blobs=transfers.blobs, resolver=resolver,
                    passing=report.counted, allow_private=allow_private,
                )  # fmt: skip
            try:
                return await into_database(archive, add_on, report, transfers, extensions)
            finally:
                if key is None:
                    await transfers.blobs.delete(archive)

    return await transfers.begin(work, replace(draft, from_name=name, source=name))


async def copy(source: Side, target: Side, *, names: tuple[str, str], transfers: Transfers) -> Transfer:
    """Begins a copy of all data; one side at least is ours. Raises: Conflict, Unavailable, Invalid."""
    ours = [side for side in (target, source) if isinstance(side, AddOn)]
    if source == target:
        raise Invalid("A database cannot be copied onto itself; name two different ones.")
    if not ours:
        raise Invalid("One of the two databases must be an add-on of this platform.")
    for side in ours:
        transfers.movable(side)
    of, to = (side if isinstance(side, AddOn) else None for side in (source, target))
    draft = await transfers.draft(TransferKind.COPY, ours[0].app_id, of=of, to=to)

    async def work(report: Report) -> int:
        archive = report.transfer.key
        async with asyncio.timeout(TRANSFER_TIMEOUT_S):
            try:
                await into_archive(source, report, transfers)
                return await into_database(archive, target, report, transfers)
            finally:
                await transfers.blobs.delete(archive)

    return await transfers.begin(work, replace(draft, from_name=names[0], to_name=names[1]))


async def into_archive(source: Side, report: Report, transfers: Transfers) -> None:
    """Dumps a database into the transfer's archive. Raises: Invalid, Unavailable."""
    extensions = None
    if isinstance(source, AddOn):
        movable = transfers.movable(source)
        size, extensions = await movable.measured(source.id)
        await report.tell(now=True, source_bytes=size)
        source = await movable.address(source.config["URL"])
    dumped = transfers.programs.dump(source, extensions, report.say)
    async with aclosing(dumped):  # type: ignore[type-var]
        await transfers.blobs.put(report.transfer.key, report.counted(dumped), max_bytes=BACKUP_MAX_BYTES)


async def into_database(archive: str, target: Side, report: Report, transfers: Transfers, extensions: Sequence[str] = ()) -> int:
    """Replaces a database by the archive at a key; gives how many statements failed. Raises: Invalid, Conflict, Unavailable."""
    chunks = report.counted(transfers.blobs.get(archive))
    if isinstance(target, DatabaseAddress):
        entries = restorable(await transfers.programs.entries(transfers.blobs.get(archive)))
        return await transfers.programs.restore(target, chunks, entries, report.say, clean=True)
    movable = transfers.movable(target)
    plan = transfers.suppliers[target.service].service.plan(target.plan)
    making = asyncio.ensure_future(_room(movable, target, report, extensions))
    try:
        entries = restorable(await transfers.programs.entries(transfers.blobs.get(archive)))  # meanwhile
        room = await making
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
    restoring = transfers.programs.restore(room, chunks, entries, report.say, clean=False)
    failed = await _within(plan.limits["bytes"], restoring, lambda: movable.room_bytes(report.transfer.id), plan.name)
    await movable.put_in_place(target.id, report.transfer.id)
    return failed


async def _room(movable: Movable, target: AddOn, report: Report, extensions: Sequence[str]) -> DatabaseAddress:
    return await movable.make_room(target.id, report.transfer.id, await movable.address(target.config["URL"]), extensions)


async def _within(most: int, restoring: Awaitable[int], size: Callable[[], Awaitable[int]], plan: str) -> int:
    """Ends a restore that grows beyond the plan: an archive may be made to fill the disk. Raises: Conflict."""
    task = asyncio.ensure_future(restoring)
    try:
        while not (await asyncio.wait([task], timeout=_LOOK_S))[0]:
            if await size() > most:
                raise Conflict(f"What the backup holds is larger than the {most} bytes of {plan}; choose a larger plan first.")
        if await size() > most:
            raise Conflict(f"What the backup holds is larger than the {most} bytes of {plan}; choose a larger plan first.")
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
