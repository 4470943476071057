"""A new database with the data of another: as it is (`--fork`), or as it was (`--rollback … --to TIME`).

What fills it is noted in the same transaction as the add-on, so that one which is not filled, for whatever reason, is taken away.

Source: https://devcenter.heroku.com/articles/heroku-postgres-fork, /articles/heroku-postgres-rollback
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Unpack
from uuid import UUID

from ..core.account import Account
from ..core.add_on import AddOn, Suppliers, chosen
from ..core.app import App
from ..core.archive import NO_HISTORY
from ..core.errors import Conflict, Invalid, PlatformError
from ..core.limits import TRANSFER_TIMEOUT_S
from ..core.transfer import Transfer, TransferKind
from ..store.accounts import find_accounts
from ..store.add_ons import find_add_on
from ..store.apps import find_app
from ..store.database import Transaction
from ..store.transfers import create_transfer, next_number
from .move_data import into_archive, into_database
from .parts import Releasing
from .provision import deprovision, provision
from .transfers import Report, Transfers

_UNITS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_SPAN = re.compile(r"(\d{1,6})\s*(day|hour|minute|second)s?")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose data a new database gets; `at` is a time, None is now."""

    add_on: AddOn
    at: datetime | None = None


def wanted_origin(options: Mapping[str, str]) -> tuple[dict[str, str], str, str, str]:
    """The options that are a supplier's, and what `fork` or `rollback`, `to` and `by` say. Raises: Invalid."""
    left = {key: value for key, value in options.items() if key not in ("fork", "rollback", "to", "by")}
    if len(options.keys() & {"fork", "rollback", "follow"}) > 1:
        raise Invalid("Use one of --fork, --follow and --rollback.")
    if "rollback" in options and ("to" in options) == ("by" in options):
        raise Invalid("--rollback needs a time: `--to '2026-01-31 14:00+00:00'`, or `--by '3 hours 20 minutes'`.")
    if "rollback" not in options and ("to" in options or "by" in options):
        raise Invalid("--to and --by say where --rollback leads; use it too.")
    return left, options.get("fork") or options.get("rollback") or "", options.get("to", ""), options.get("by", "")


def moment_of(to: str, by: str, now: datetime, days: int) -> datetime:
    """The time a rollback leads to: UTC unless it says otherwise. Raises: Invalid for one that is not kept, or not a time."""
    try:
        if by:
            parts = _SPAN.findall(by)
            if not parts or _SPAN.sub("", by).replace("and", "").strip(" ,"):
                raise ValueError
            found = now - timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in parts))
        else:
            found = datetime.fromisoformat(to.strip().replace(" UTC", "+00:00"))
    except (ValueError, OverflowError):
        said = (by or to)[:60]
        raise Invalid(f"`{said}` is no time; use one such as `2026-01-31 14:00+00:00`, or with --by `3 hours 20 minutes`.") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not now - timedelta(days=days) <= found <= now:
        raise Invalid(f"A database can be rolled back to the last {days} days, not to {found.isoformat()}.")
    return found


def checked_origin(source: AddOn, wanted: str, to: str, by: str, *, transfers: Transfers) -> Origin:
    """Whether `wanted` (a plan) can begin with the data of `source`. Raises: Invalid, Conflict."""
    keeps_history = transfers.movable(source).keeps_history
    supplier, plan = chosen(transfers.suppliers, wanted)
    kept = supplier.service.plan(source.plan).limits["rollback_days"] if supplier.service.name == source.service else 0
    if supplier.service.name != source.service or not kept or not plan.limits["rollback_days"]:
        raise Invalid("Only a database of a standard plan can be forked or rolled back, into one of a standard plan.")
    if (to or by) and not keeps_history:
        raise Invalid(NO_HISTORY)
    now = transfers.clock.now()
    return Origin(source, max(moment_of(to, by, now, kept), source.created_at) if to or by else None)


async def fork(
    app: App,
    wanted: str,
    origin: Origin,
    *,
    name: str | None,
    attached_as: str | None,
    options: Mapping[str, str],
    by: Account,
    transfers: Transfers,
    **parts: Unpack[Releasing],
) -> AddOn:
    """A new database that is being filled; its transfer, in the app's list, says how far. Raises: as `provision`."""
    draft = replace(
        await transfers.draft(TransferKind.FORK, app.id, of=origin.add_on),
        to_name=name or "fork",
        source=origin.at.isoformat() if origin.at else "",
    )
    begun: list[Transfer] = []

    async def also(tx: Transaction, add_on: AddOn) -> None:
        begun.append(replace(draft, to_id=add_on.id, to_name=add_on.name, num=await next_number(tx, app.id)))
        await create_transfer(tx, begun[0])

    try:
        made = await provision(
            app, wanted, name=name, attached_as=attached_as, options=options, by=by, suppliers=transfers.suppliers, also=also, **parts
        )
    except PlatformError as problem:
        for transfer in begun:
            await transfers.abandoned(transfer, problem.message)
        raise
    transfers.go_on(begun[0], lambda report: _fill(made, origin, report, transfers))
    return made


async def _fill(target: AddOn, origin: Origin, report: Report, transfers: Transfers) -> int:
    movable = transfers.movable(origin.add_on)
    async with asyncio.timeout(TRANSFER_TIMEOUT_S):
        try:
            if origin.at is None:
                await into_archive(origin.add_on, report, transfers)
            else:
                await into_archive(await movable.rewound(origin.add_on.id, report.transfer.id, origin.at), report, transfers)
            return await into_database(report.transfer.key, target, report, transfers)
        finally:
            await transfers.blobs.delete(report.transfer.key)


async def abandon(id: UUID, *, suppliers: Suppliers, **parts: Unpack[Releasing]) -> None:
    """Takes away a database that could not be filled: half of one is worse than none."""
    async with parts["db"].reading() as tx:
        add_on = await find_add_on(tx, id, vault=parts["vault"])
        app = await find_app(tx, add_on.app_id) if add_on else None
        owners = await find_accounts(tx, {app.owner_id}) if app else {}
    if add_on is not None and app is not None:
        try:
            await deprovision(app, add_on, by=owners[app.owner_id], suppliers=suppliers, force=True, **parts)
        except Conflict:
            pass  # somebody else takes it away
