"""Begins the backups that are due, and forgets those that a plan does not keep. What was due while the platform was away is made once.

Source: https://devcenter.heroku.com/articles/heroku-postgres-backups#scheduling-backups
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable
from datetime import UTC, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from ..core.add_on import AddOn, AddOnState
from ..core.errors import Invalid, PlatformError
from ..core.limits import BACKUPS_KEPT_AFTER_S, HISTORY_ROUND_S, SCHEDULES_ROUND_S, TRANSFERS_KEPT
from ..core.transfer import Schedule, Transfer, TransferKind, next_run, superfluous
from ..store.add_ons import find_add_on, list_add_ons
from ..store.transfers import list_schedules, list_transfers, set_due
from .move_data import back_up
from .transfers import Transfers

_PRUNE_ROUNDS = 60
_log = structlog.get_logger("backups")


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database. Raises: Invalid."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"`{name[:60]}` is no time zone; use one such as UTC or Europe/Berlin.") from None


async def keep_backups(transfers: Transfers) -> None:
    """Ends what an earlier platform was at, then looks twice a minute, for ever."""
    rounds, history = 0, KeptHistory(transfers)
    await _guarded(transfers.recover())
    while True:
        await _guarded(history.look())
        await _guarded(begin_due(transfers))
        if rounds % _PRUNE_ROUNDS == 0:
            await _guarded(prune(transfers))
        rounds += 1
        await transfers.clock.sleep(SCHEDULES_ROUND_S)


class KeptHistory:
    """Has what databases were kept while one has a plan that can go back to it, with a base backup each day."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers
        self._days: dict[str, int] = {}
        self._at_s: dict[str, float] = {}

    async def look(self) -> None:
        """Begins what is due, which goes on beside."""
        parts = self._transfers
        async with parts.db.reading() as tx:
            add_ons = await list_add_ons(tx, vault=parts.vault, state=AddOnState.PROVISIONED)
        for service in parts.movables:
            plans = [parts.suppliers[service].service.plan(add_on.plan) for add_on in add_ons if add_on.service == service]
            days = max((plan.limits["rollback_days"] for plan in plans), default=0)
            is_due = days > 0 and parts.clock.monotonic() - self._at_s.get(service, 0.0) > HISTORY_ROUND_S
            if days != self._days.get(service, -1) or is_due:
                self._days[service], self._at_s[service] = days, parts.clock.monotonic()
                parts.supervision.undertake(f"history:{service}", self._keep(service, days))

    async def _keep(self, service: str, days: int) -> None:
        try:
            await self._transfers.movables[service].keep_history(days)
        except PlatformError as problem:
            self._days.pop(service, None)
            _log.warning("history of databases waits", service=service, reason=problem.message)


async def _guarded(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        _log.exception("backups could not be looked after")


async def begin_due(transfers: Transfers) -> None:
    """Each schedule that is due: one backup, however often it was missed. One that cannot begin is tried again until its next hour."""
    now = transfers.clock.now()
    async with transfers.db.reading() as tx:
        due = await list_schedules(tx, due_by=now)
        found = {each.add_on_id: await find_add_on(tx, each.add_on_id, vault=transfers.vault) for each in due}
    for schedule in due:
        add_on = found[schedule.add_on_id]
        if add_on is not None:
            await _begin(schedule, add_on, transfers)


async def _begin(schedule: Schedule, add_on: AddOn, transfers: Transfers) -> None:
    later = next_run(schedule.hour, zone_of(schedule.timezone), transfers.clock.now().astimezone(UTC))
    try:
        await back_up(add_on, transfers=transfers, schedule=schedule.name, also=lambda tx: set_due(tx, schedule.id, later))
    except PlatformError as problem:
        _log.warning("scheduled backup waits", add_on=add_on.name, reason=problem.message)


async def prune(transfers: Transfers) -> None:
    """Forgets what plans do not keep, archives that no row names, and all but the newest restores and copies of each app."""
    async with transfers.db.reading() as tx:
        stored = await list_transfers(tx)
        plans = {add_on.id: add_on for add_on in await list_add_ons(tx, vault=transfers.vault)}
    for transfer in _beyond(stored, plans, transfers):
        await transfers.delete(transfer)
    named = {transfer.key for transfer in stored}
    for key in await transfers.blobs.keys("backups/"):
        if key not in named:
            await transfers.blobs.delete(key)


def _beyond(stored: list[Transfer], plans: dict[UUID, AddOn], transfers: Transfers) -> list[Transfer]:
    before = transfers.clock.now() - timedelta(seconds=BACKUPS_KEPT_AFTER_S)
    backups: dict[UUID | None, list[Transfer]] = defaultdict(list)
    others: dict[UUID, list[Transfer]] = defaultdict(list)
    for transfer in stored:
        if transfer.kind is TransferKind.BACKUP:
            backups[transfer.from_id].append(transfer)
        elif transfer.finished_at:
            others[transfer.app_id].append(transfer)
    gone = [each for group in others.values() for each in group[:-TRANSFERS_KEPT]]
    for id, group in backups.items():
        add_on = plans.get(id) if id else None
        if add_on is None:
            gone += [each for each in group if each.finished_at and each.finished_at < before]
        else:
            gone += superfluous(group, transfers.suppliers[add_on.service].service.plan(add_on.plan).limits)
    return gone
