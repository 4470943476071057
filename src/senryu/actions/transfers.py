"""Backups, restores and copies of databases: begun by a call or a schedule, gone on with beside it, put right after a crash.

The row is first; an archive is whole in the blob store before its row says so; a restore fills a database beside the tenant's, which takes
its place when it is complete. What is interrupted is tidied up first and then told as failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog

from ..core.add_on import AddOn, AddOnState, Suppliers
from ..core.archive import ArchivePrograms, Movable
from ..core.clock import Clock
from ..core.errors import Conflict, NotFound, PlatformError, Unavailable
from ..core.follower import check_is_own
from ..core.formation import Supervision
from ..core.limits import TRANSFER_TIMEOUT_S, TRANSFERS_AT_ONCE, TRANSFERS_OPEN_MAX
from ..core.slug import BlobStore
from ..core.transfer import Transfer, TransferKind, heard
from ..store.add_ons import find_add_on, list_attachments
from ..store.apps import lock_app
from ..store.database import Database, Transaction
from ..store.transfers import create_transfer, delete_transfer, list_transfers, next_number, update_transfer
from ..store.vault import Vault

_BEAT_S = 2.0
_TIDY_TRIES = 20
_TIDY_PAUSE_S = 3.0
_TIDIED_WITHIN = timedelta(days=1)
_log = structlog.get_logger("transfers")


@dataclass
class Report:
    """A transfer under way as it is told: `add` and `say` note what happens, `tell` stores it now and then."""

    transfer: Transfer
    db: Database
    clock: Clock
    said: list[str] = field(default_factory=list)
    told_s: float = 0.0
    count: int = 0

    def say(self, lines: Sequence[str]) -> None:
        """What a program said."""
        self.said += lines

    async def tell(self, *, now: bool = False, **changes: object) -> None:
        """Stores it when it is time, or `now`."""
        if not now and self.clock.monotonic() - self.told_s < _BEAT_S:
            return
        self.told_s, said, self.said = self.clock.monotonic(), self.said, []
        lines = heard(self.transfer.lines, _stamp(self.clock.now()), said)
        self.transfer = replace(self.transfer, lines=lines, processed_bytes=self.count, **changes)  # type: ignore[arg-type]
        async with self.db.transaction() as tx:
            await update_transfer(tx, self.transfer)

    async def counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same chunks, counted and told."""
        self.count = 0
        async for chunk in chunks:
            self.count += len(chunk)
            yield chunk
            await self.tell()


Work = Callable[[Report], Awaitable[int]]  # gives how many statements failed


@dataclass(frozen=True)
class Transfers:
    """What does them. `movables` are suppliers' databases by the name of their service.

    `abandon` takes away an add-on that could not be filled.
    """

    db: Database
    vault: Vault
    clock: Clock
    blobs: BlobStore
    supervision: Supervision
    suppliers: Suppliers
    programs: ArchivePrograms
    movables: Mapping[str, Movable]
    abandon: Callable[[UUID], Awaitable[None]]
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TRANSFERS_AT_ONCE))

    def movable(self, add_on: AddOn) -> Movable:
        """Raises: Conflict when the add-on is no database of its own, or is not there."""
        found = self.movables.get(add_on.service)
        if found is None:
            raise Conflict(f"{add_on.name} is no database that can be backed up.")
        if add_on.state is not AddOnState.PROVISIONED:
            raise Conflict(f"{add_on.name} is {add_on.state.value}; wait until it is provisioned.")
        check_is_own(add_on)
        return found

    async def begin(self, work: Work, draft: Transfer, *, also: Callable[[Transaction], Awaitable[None]] | None = None) -> Transfer:
        """Stores `draft` under the app's next number and begins `work`. `also` is stored with it.

        Raises: Conflict when the same database is in another transfer, Unavailable when too many are under way.
        """
        async with self.db.transaction() as tx:
            if await lock_app(tx, draft.app_id) is None:
                raise NotFound("Couldn't find that app.")
            check_free(draft, await list_transfers(tx, is_open=True))
            begun = replace(draft, num=await next_number(tx, draft.app_id))
            await create_transfer(tx, begun)
            if also is not None:
                await also(tx)
        self.go_on(begun, work)
        await asyncio.sleep(0)  # it begins before its answer is given: whoever has the answer can cancel it
        return begun

    def go_on(self, begun: Transfer, work: Work) -> None:
        """Begins the work of one that is stored."""
        self.supervision.undertake(_task(begun.id), self._carry_out(begun, work))

    async def abandoned(self, transfer: Transfer, reason: str) -> None:
        """Ends one whose database was not made."""
        await self._end(transfer, reason)

    async def draft(self, kind: TransferKind, app_id: UUID, *, of: AddOn | None = None, to: AddOn | None = None) -> Transfer:
        """A transfer that is not stored yet, with the names that databases have in their apps."""
        now = self.clock.now()
        from_name = await self._name_of(of) if of else ""
        to_name = await self._name_of(to) if to else ""
        return Transfer(uuid4(), app_id, 0, kind, from_name, to_name, now, of.id if of else None, to.id if to else None)

    async def _name_of(self, add_on: AddOn) -> str:
        async with self.db.reading() as tx:
            attached = await list_attachments(tx, add_on_id=add_on.id, vault=self.vault)
        return next((attachment.name for attachment, _ in attached if attachment.app_id == add_on.app_id), add_on.name)

    async def cancel(self, transfer: Transfer) -> Transfer:
        """Ends one that is under way. Raises: Conflict when it has finished, Unavailable when its database's server is away."""
        if transfer.finished_at is not None:
            raise Conflict(f"{transfer.name} has finished; only one under way can be canceled.")
        canceled = replace(transfer, canceled_at=self.clock.now())
        async with self.db.transaction() as tx:
            if not await update_transfer(tx, canceled):
                raise Conflict(f"{transfer.name} has just finished.")
        self.supervision.cancel(_task(transfer.id))
        return await self._end(canceled, "It was canceled.")

    async def delete(self, transfer: Transfer) -> None:
        """Forgets a finished one with its archive. Raises: Conflict while it is under way."""
        if transfer.finished_at is None:
            raise Conflict(f"{transfer.name} is under way; cancel it first.")
        await self.blobs.delete(transfer.key)
        async with self.db.transaction() as tx:
            await delete_transfer(tx, transfer.id)

    async def recover(self) -> None:
        """Ends what an earlier platform was at, and tidies up behind what it had just finished. Those begun by this one are left alone."""
        now = self.clock.now()
        async with self.db.reading() as tx:
            earlier = [each for each in await list_transfers(tx) if each.created_at < now]
        for transfer in earlier:
            if transfer.succeeded and transfer.to_id and transfer.finished_at and now - transfer.finished_at < _TIDIED_WITHIN:
                await self._tidy(transfer)
        for transfer in (each for each in earlier if each.finished_at is None):
            await self._end(transfer, "It was interrupted by a restart of the platform; begin it again.")

    async def _carry_out(self, transfer: Transfer, work: Work) -> None:
        async with self.places:
            report = Report(transfer, self.db, self.clock)
            await report.tell(now=True, started_at=self.clock.now())
            reason, warnings = "", 0
            try:
                warnings = await work(report)
            except PlatformError as problem:
                reason = problem.message
            except TimeoutError:
                reason = f"It took longer than {TRANSFER_TIMEOUT_S / 3600:.0f} hours."
            except Exception as problem:
                _log.exception("transfer failed", transfer=str(transfer.id))
                reason = f"The platform failed ({type(problem).__name__}); try again."
            if reason:
                await report.tell(now=True)
                await self._end(report.transfer, reason)
            else:
                await report.tell(now=True, finished_at=self.clock.now(), succeeded=True, warnings=warnings)
                if transfer.to_id is not None:
                    await self._tidy(transfer)  # what was replaced: nobody waits for that

    async def _end(self, transfer: Transfer, reason: str) -> Transfer:
        """Tidies up what a transfer left, then tells that it failed."""
        await self.blobs.delete(transfer.key)
        if transfer.to_id is not None:
            await self._tidy(transfer)
            if transfer.kind is TransferKind.FORK:
                with suppress(Unavailable):  # it is nobody's any more, and goes with the next round
                    await self.abandon(transfer.to_id)
        now = self.clock.now()
        ended = replace(transfer, finished_at=now, lines=heard(transfer.lines, _stamp(now), [reason]))
        async with self.db.transaction() as tx:
            await update_transfer(tx, ended)
        return ended

    async def _tidy(self, transfer: Transfer) -> None:
        """A server that was killed is back in a moment; one that stays away is told of."""
        assert transfer.to_id is not None
        async with self.db.reading() as tx:
            add_on = await find_add_on(tx, transfer.to_id, vault=self.vault)
        movable = self.movables.get(add_on.service) if add_on else None
        for left in reversed(range(_TIDY_TRIES if movable else 0)):
            try:
                assert movable is not None
                await movable.tidy(transfer.to_id, transfer.id)
                break
            except Unavailable as problem:
                if not left:
                    _log.error("what a restore left stays on the server", transfer=str(transfer.id), reason=problem.message)
                await self.clock.sleep(_TIDY_PAUSE_S)


def check_free(draft: Transfer, under_way: Sequence[Transfer]) -> None:
    """Whether a transfer may begin. Raises: Conflict, Unavailable."""
    if len(under_way) >= TRANSFERS_OPEN_MAX:
        raise Unavailable(f"{len(under_way)} backups and restores are under way on this platform; try again in a few minutes.")
    for other in under_way:
        if draft.to_id is not None and draft.to_id in (other.from_id, other.to_id):
            raise Conflict(f"{other.name} is under way on that database; wait until it has finished, or cancel it.")
        if draft.from_id is not None and (other.to_id == draft.from_id or (other.from_id, other.kind) == (draft.from_id, draft.kind)):
            raise Conflict(f"{other.name} is under way on that database; wait until it has finished, or cancel it.")


def _task(id: UUID) -> str:
    return f"transfer:{id}"


def _stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%d %H:%M:%S +0000")
