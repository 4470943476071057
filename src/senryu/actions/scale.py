"""Changing how many dynos of which size run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.account import Account
from ..core.app import App
from ..core.clock import Clock
from ..core.dyno_size import Sizes, check_together
from ..core.errors import Invalid
from ..core.formation import NOT_SCALABLE, ProcessType, Supervision, next_quantity
from ..core.log_line import LogWriter
from ..store.apps import lock_app
from ..store.database import Database
from ..store.dyno_sizes import list_sizes
from ..store.dynos import list_dynos, set_dyno
from ..store.formation import list_formation, set_process_type
from ..store.releases import latest_release
from ..store.vault import Vault
from .note import note
from .sleep import tell_unidling, woken
from .tell import tell


@dataclass(frozen=True, slots=True)
class FormationChange:
    """`web=2:standard-2x`; None leaves what is."""

    type: str
    quantity: str | int | None = None
    size: str | None = None


def _after(app: App, entry: ProcessType, change: FormationChange, sizes: Sizes) -> ProcessType:
    quantity = entry.quantity if change.quantity is None else next_quantity(entry.quantity, change.quantity)
    size = entry.size if change.size is None else sizes.for_payer(change.size, app.payer).name
    return replace(entry, quantity=quantity, size=size)


async def scale(
    app: App,
    changes: Sequence[FormationChange],
    *,
    by: Account,
    db: Database,
    vault: Vault,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> list[ProcessType]:
    """Changes the formation; dynos follow. Dynos whose size changed are replaced.

    Gives: the whole formation. Raises: Invalid for a type the Procfile does not name, a bad quantity or size, or what
    the sizes do not allow together; Forbidden for a size that is kept for others.
    """
    now = clock.now()
    told: list[str] = []
    async with db.transaction() as tx:
        await lock_app(tx, app.id)
        latest, sizes = await latest_release(tx, app.id, vault=vault), await list_sizes(tx)
        known = {entry.type: entry for entry in await list_formation(tx, app.id)}
        named = latest.process_types if latest else {}
        for change in changes:
            is_known = change.type in named and change.type in known
            after = replace(_after(app, known[change.type], change, sizes), updated_at=now) if is_known else None
            if after is None or (after.type in NOT_SCALABLE and after.quantity > 0):  # their size may change with that of the others
                types = ", ".join(name for name in named if name not in NOT_SCALABLE) or "none yet; deploy first"
                raise Invalid(f"Couldn't find that process type ({change.type}). {app.name} has: {types}.", app=app.name)
            if after.size != known[change.type].size:
                for dyno in await list_dynos(tx, app.id):
                    if dyno.type == change.type and dyno.size != after.size and dyno.retiring is None:
                        await set_dyno(tx, dyno.id, retiring="restart")
            await note(tx, app, after, "update", now=now, by=by.id, was=known[change.type])
            known[change.type] = after
            await set_process_type(tx, after)
            told.append(f"{after.type}@{after.quantity}:{after.size}")
        if told:
            idle = await woken(tx, app.id)
            check_together(sizes, {name: (known[name].quantity, known[name].size) for name in known.keys() & named.keys() - NOT_SCALABLE})
    if told:
        await tell(app.id, "api", f"Scaled to {' '.join(told)} by user {by.email}", log_writer=log_writer, clock=clock, source="app")
        await tell_unidling(app.id, idle, log_writer=log_writer, clock=clock)
        supervision.wake(app.id)
    return [known[name] for name in sorted(known)]
