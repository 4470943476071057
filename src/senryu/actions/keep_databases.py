"""The loop that keeps databases within their plans, and goes on with credentials that a crash left half changed.

It remembers sizes only, to see who grows; what a tenant may do is asked of the server, so nothing is lost with it.
Without databases it does not ask the server anything, which then need not run.

Source: https://devcenter.heroku.com/articles/heroku-postgres-plans (what happens over a plan's size)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack
from uuid import UUID

import structlog

from ..core.add_on import AddOn, AddOnState, Plan, Suppliers
from ..core.database import SERVICE_NAME, Access, Databases, Usage, is_filling, judge, pretty
from ..core.limits import DATABASES_ROUND_S, FILLING_ROUND_S, PROVISION_TIMEOUT_S
from ..core.shared_connections import connection_limits
from ..store.add_ons import list_add_ons, list_attachments
from .credentials import finish_credentials
from .parts import Releasing
from .tell import tell

_log = structlog.get_logger("databases")
_PROCESS = "heroku-postgres"


class DatabaseLoop:
    """Runs for all databases."""

    def __init__(self, *, databases: Databases, suppliers: Suppliers, **parts: Unpack[Releasing]) -> None:
        self._databases, self._suppliers, self._parts = databases, suppliers, parts
        self._sizes: dict[UUID, int] = {}
        self._stopped_at: dict[UUID, int] = {}

    async def run(self) -> None:
        """For ever."""
        older_s = 0.0  # what is half done when this begins was left by a crash
        while True:
            is_any_filling = False
            try:
                is_any_filling = await self.round()
                await finish_credentials(databases=self._databases, suppliers=self._suppliers, older_s=older_s, **self._parts)
                older_s = 2 * PROVISION_TIMEOUT_S
            except Exception:
                _log.exception("databases could not be looked after")
            await self._parts["clock"].sleep(FILLING_ROUND_S if is_any_filling else DATABASES_ROUND_S)

    async def round(self) -> bool:
        """One look at all. Gives whether to look again soon: one is filling, or they crowd the server."""
        async with self._parts["db"].reading() as tx:
            kept = await list_add_ons(tx, vault=self._parts["vault"], state=AddOnState.PROVISIONED)
        mine = {each.id: each for each in kept if each.service == SERVICE_NAME and each.follows is None}
        self._sizes = {id: size for id, size in self._sizes.items() if id in mine}
        self._stopped_at = {id: size for id, size in self._stopped_at.items() if id in mine}
        if not mine:
            return False
        plans = {id: self._suppliers[SERVICE_NAME].service.plan(add_on.plan) for id, add_on in mine.items()}
        usages = await self._databases.usage(list(mine))
        is_crowded = await self._share_connections(mine, plans, usages)
        for id, usage in usages.items():
            await self._bound(mine[id], plans[id], usage)
        await self._end_hogs(mine, plans)
        is_any_filling = any(is_filling(self._sizes.get(id), usage, plans[id]) for id, usage in usages.items())
        self._sizes = {id: usage.bytes for id, usage in usages.items()}
        return is_any_filling or is_crowded

    async def _bound(self, add_on: AddOn, plan: Plan, usage: Usage) -> None:
        if usage.access is Access.READ_ONLY:
            self._stopped_at.setdefault(add_on.id, usage.bytes)
        wanted = judge(usage, plan, self._stopped_at.get(add_on.id))
        if wanted is usage.access:
            return
        await self._databases.allow(add_on.id, plan, wanted)
        if wanted is Access.OPEN:
            self._stopped_at.pop(add_on.id, None)
        else:
            self._stopped_at.setdefault(add_on.id, usage.bytes)
        await self._tell(add_on, _NOTICES[wanted].format(name=add_on.name, used=pretty(usage.bytes), most=pretty(plan.limits["bytes"])))

    async def _end_hogs(self, mine: Mapping[UUID, AddOn], plans: Mapping[UUID, Plan]) -> None:
        for id, count in (await self._databases.end_hogs(plans)).items():
            hours = plans[id].limits["statement_s"] / 3600
            await self._tell(mine[id], f"{mine[id].name}: ended {count} statement(s) that ran for over {hours:g} h or held too many locks")

    async def _share_connections(self, mine: Mapping[UUID, AddOn], plans: Mapping[UUID, Plan], usages: Mapping[UUID, Usage]) -> bool:
        """Whether some get fewer connections than their plans promise, as all together want more than the server has."""
        promised = {id: plans[id].limits["connections"] for id in usages}
        limits = connection_limits(usages, promised, await self._databases.room())
        for id, most in limits.items():
            if most == usages[id].connections_max:
                continue
            ended = await self._databases.limit_connections(id, most)
            if ended:
                await self._tell(mine[id], _SHARED.format(name=mine[id].name, most=most, promised=promised[id], ended=ended))
        return any(most < promised[id] for id, most in limits.items())

    async def _tell(self, add_on: AddOn, text: str) -> None:
        """The log of every app that has it attached."""
        async with self._parts["db"].reading() as tx:
            attached = await list_attachments(tx, add_on_id=add_on.id, vault=self._parts["vault"])
        for app_id in {add_on.app_id, *(attachment.app_id for attachment, _ in attached)}:
            await tell(app_id, _PROCESS, text, log_writer=self._parts["log_writer"], clock=self._parts["clock"], source="app")


_SHARED = (
    "{name} may hold {most} of its {promised} connections while all of the server's are wanted; {ended} were ended."
    " Keep fewer open in your pool"
)
_NOTICES = {
    Access.OPEN: "{name} has {used} of {most} and may be written to again",
    Access.READ_ONLY: (
        "{name} has {used}, its plan has {most}: it is read-only now. Upgrade it, or delete data after"
        " `SET default_transaction_read_only = off`; VACUUM FULL gives the space back"
    ),
    Access.LOCKED: "{name} went on growing to {used} of {most} while read-only: connections are refused. Upgrade it, or reset it",
}
