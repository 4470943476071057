"""What ran for how long. A row is begun and ended once, in the transaction that changes what runs: a crash neither loses nor doubles it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from ..core.add_on import AddOn, AddOnState
from ..core.usage import PLANS_PRICE, Total, Usage, bounds, summed, totals
from .database import Transaction
from .rows import columns, noun
from .tables import apps, settings
from .usage_tables import usage, usage_totals

_FOLD_MAX = 5000
_BEAT = "platform-alive"
_KEY = ("payer_id", "month", "app_id", "kind", "name", "size", "price_cents", "is_pooled")


async def begin_usage(tx: Transaction, use: Usage) -> None:
    """Notes that something runs, unless it is noted already."""
    if (await tx.execute(select(usage.c.id).where(usage.c.id == use.id).limit(1))).scalar() is None:
        await tx.execute(insert(usage).values(columns(use)))


async def end_usage(tx: Transaction, id: UUID, at: datetime) -> None:
    """Notes that it ended; nothing when that is noted."""
    for use in await _open(tx, usage.c.id == id):
        await _end(tx, use, await _in_its_boot(tx, use, at))


async def end_app_usage(tx: Transaction, app_id: UUID, at: datetime) -> None:
    """Nothing of an app runs any more."""
    for use in await _open(tx, usage.c.app_id == app_id):
        await _end(tx, use, at)


async def meter_add_on(tx: Transaction, add_on: AddOn) -> None:
    """Notes that an add-on is there, of which plan and name, or not any more; from when it was changed. Idempotent."""
    if add_on.state is not AddOnState.PROVISIONED:
        await end_usage(tx, add_on.id, add_on.updated_at)
        return
    size, at = f"{add_on.service}:{add_on.plan}", add_on.updated_at
    app = (await tx.execute(select(apps).where(apps.c.id == add_on.app_id))).mappings().first()
    known = await open_usage(tx, add_on.id)
    if known is not None and (known.size, known.name) != (size, add_on.name):
        await _go_on(tx, known, at, size=size, name=add_on.name)
    elif known is None and app is not None:
        payer = app["team_id"] or app["owner_id"]
        await begin_usage(tx, Usage(add_on.id, 0, payer, add_on.app_id, app["name"], "add-on", add_on.name, size, PLANS_PRICE, False, at))


async def open_usage(tx: Transaction, id: UUID) -> Usage | None:
    """What is noted of something that runs."""
    found = await _open(tx, usage.c.id == id)
    return found[0] if found else None


async def price_usage(tx: Transaction, size: str, at: datetime, *, price_cents: int, is_pooled: bool) -> None:
    """Dynos of a size that run cost something else from now on."""
    for use in await _open(tx, and_(usage.c.kind == "dyno", usage.c.size == size)):
        if (use.price_cents, use.is_pooled) != (price_cents, is_pooled):
            await _go_on(tx, use, at, price_cents=price_cents, is_pooled=is_pooled)


async def go_on_with_plan(tx: Transaction, plan: str, at: datetime) -> None:
    """What an add-on of a plan cost so far is one part, what it costs from now on another."""
    for use in await _open(tx, and_(usage.c.size == plan, usage.c.price_cents == PLANS_PRICE)):
        await _go_on(tx, use, at)


async def pay_usage(tx: Transaction, app_id: UUID, payer_id: UUID, app_name: str, at: datetime) -> None:
    """Somebody else pays for what runs of an app from now on."""
    for use in await _open(tx, and_(usage.c.app_id == app_id, or_(usage.c.payer_id != payer_id, usage.c.app_name != app_name))):
        await _go_on(tx, use, at, payer_id=payer_id, app_name=app_name)


async def _open(tx: Transaction, where: ColumnElement[bool]) -> list[Usage]:
    rows = (await tx.execute(select(usage).where(where, usage.c.ended_at.is_(None)))).mappings()
    return [noun(Usage, row) for row in rows]


async def _end(tx: Transaction, use: Usage, at: datetime) -> None:
    this = (usage.c.id == use.id) & (usage.c.part == use.part)
    await tx.execute(update(usage).where(this).values(ended_at=max(at, use.started_at)))


async def _go_on(tx: Transaction, use: Usage, at: datetime, **changes: Any) -> None:
    at = max(at, use.started_at)
    await _end(tx, use, at)
    await tx.execute(insert(usage).values(columns(replace(use, part=use.part + 1, started_at=at, **changes))))


async def beat(tx: Transaction, boot: str, at: datetime) -> int:
    """Notes that the platform was there at that moment of a boot of its machine; gives how many dynos were found to have ended.

    Dynos ended with the boot they ran in, at the latest when the platform was last there: the first beat of the next boot says so.
    """
    known = await _last_beat(tx)
    ended, off = [], known.get("off")
    if known and known["boot"] != boot:
        ended, off = await _open(tx, usage.c.kind == "dyno"), [known["at"], at.isoformat()]
    for use in ended:
        await _end(tx, use, datetime.fromisoformat(known["at"]))
    await tx.execute(delete(settings).where(settings.c.name == _BEAT))
    await tx.execute(insert(settings).values(name=_BEAT, content={"boot": boot, "at": at.isoformat(), "off": off}))
    return len(ended)


async def first_beat(tx: Transaction, boot: str, at: datetime) -> None:
    """`beat`, unless there was one in this boot: before something else ends or divides what runs. Nobody waits for anybody otherwise."""
    known = await _last_beat(tx)
    if known and known["boot"] != boot:
        await beat(tx, boot, at)


async def _last_beat(tx: Transaction) -> dict[str, Any]:
    return dict((await tx.execute(select(settings.c.content).where(settings.c.name == _BEAT))).scalar() or {})


async def _in_its_boot(tx: Transaction, use: Usage, at: datetime) -> datetime:
    """A dyno that was noted first after the machine was off ended before that."""
    off = (await _last_beat(tx)).get("off")
    if not off or use.kind != "dyno" or use.started_at >= datetime.fromisoformat(off[1]):
        return at
    return min(at, datetime.fromisoformat(off[0]))


async def list_totals(tx: Transaction, month: str, now: datetime, payers: Collection[UUID] | None = None) -> list[Total]:
    """What ran in a month so far, for these payers or all."""
    first, following = bounds(month)
    in_month = and_(usage.c.started_at < following, or_(usage.c.ended_at.is_(None), usage.c.ended_at > first))
    running, folded = select(usage).where(in_month), select(usage_totals).where(usage_totals.c.month == month)
    if payers is not None:
        running, folded = running.where(usage.c.payer_id.in_(payers)), folded.where(usage_totals.c.payer_id.in_(payers))
    uses = [noun(Usage, row) for row in (await tx.execute(running)).mappings()]
    return summed([*(noun(Total, row) for row in (await tx.execute(folded)).mappings()), *totals(uses, now, [month])])


async def first_month(tx: Transaction, payer_id: UUID) -> datetime | None:
    """A moment of the first month in which anything ran for a payer."""
    oldest = select(usage.c.started_at).where(usage.c.payer_id == payer_id).order_by(usage.c.started_at).limit(1)
    running = (await tx.execute(oldest)).scalar()
    folded = (await tx.execute(select(usage_totals.c.month).where(usage_totals.c.payer_id == payer_id).distinct())).scalars().all()
    return min([moment for moment in (running, *(bounds(month)[0] for month in folded)) if moment is not None], default=None)


async def fold_usage(tx: Transaction, before: datetime) -> int:
    """Adds times that ended before then to their months' totals and forgets them one by one, at most _FOLD_MAX; gives how many."""
    over = select(usage).where(usage.c.ended_at < before).order_by(usage.c.ended_at).limit(_FOLD_MAX)
    uses = [noun(Usage, row) for row in (await tx.execute(over)).mappings()]
    for total in totals(uses, before):
        this = and_(*(usage_totals.c[name] == getattr(total, name) for name in _KEY))
        known = (await tx.execute(select(usage_totals.c.microseconds).where(this))).scalar()
        if known is None:
            await tx.execute(insert(usage_totals).values(columns(total)))
        else:
            added = {"microseconds": known + total.microseconds, "app_name": total.app_name}
            await tx.execute(update(usage_totals).where(this).values(added))
    for use in uses:
        await tx.execute(delete(usage).where((usage.c.id == use.id) & (usage.c.part == use.part)))
    return len(uses)
