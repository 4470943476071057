"""Makes, changes and takes away key-value stores, and speaks to their servers for `redis:*`.

The agent keeps what each server is to be and starts it; what a running one is to change is told to it here. Order is: written down
first, told after, so that a server killed between comes back right.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from ...core.add_on import AddOnService, Plan, Supplier
from ...core.errors import Invalid, Unavailable
from ...core.key_value_store import SPARE_CONNECTIONS, KeyValueStores, StoreOrder, StoreServer, StoreServers
from .link import Link, linked
from .plans import SERVICE

_SETTINGS = ("maxmemory-policy", "timeout", "notify-keyspace-events")


class RedisSupplier:
    """See Supplier and KeyValueStores."""

    def __init__(self, servers: StoreServers) -> None:
        self._servers = servers

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return SERVICE

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str]:
        """See Supplier. Gives `{"URL": "rediss://…"}`. Repeating it sets another password."""
        if unknown := options.keys() - {"version"}:
            raise Invalid(f"{SERVICE.name} has no option {', '.join(sorted(unknown))[:80]}.")
        password = _password()
        server = await self._servers.run_store(_order(id, plan, verifiers=(_verifier(password),)))
        async with linked(server) as link:
            await link.ask("ACL", "LOAD")
        return {"URL": _url(server, password)}

    async def change_plan(self, id: UUID, plan: Plan) -> None:
        """See Supplier."""
        async with linked(await self._servers.run_store(StoreOrder(id))) as link:
            used = int((await _information(link, "memory"))["used_memory"])
        if used > plan.limits["bytes"]:
            raise Invalid(f"The store holds {used} bytes, {plan.name} may hold {plan.limits['bytes']}; delete some keys first.")
        async with linked(await self._servers.run_store(_order(id, plan))) as link:
            await link.ask("CONFIG", "SET", "maxmemory", plan.limits["bytes"])
            await link.ask("CONFIG", "SET", "maxclients", plan.limits["connections"] + SPARE_CONNECTIONS)
            await link.ask("CONFIG", "SET", "appendonly", "yes" if plan.limits["durable"] else "no")

    async def deprovision(self, id: UUID) -> None:
        """See Supplier."""
        await self._servers.remove_store(id)

    async def state(self, id: UUID) -> Mapping[str, str]:
        """See KeyValueStores."""
        server = await self._servers.run_store(StoreOrder(id))
        async with linked(server) as link:
            state = await _information(link)
            for name in _SETTINGS:
                state[name] = (await link.ask("CONFIG", "GET", name))[1]
        return {**state, "installed_version": server.version}

    async def admit(self, id: UUID, former: str) -> Mapping[str, str]:
        """See KeyValueStores."""
        password = _password()
        server = await self._let_in(id, _verifier(password), _verifier(_password_in(former)))
        return {"URL": _url(server, password)}

    async def dismiss(self, id: UUID, current: str) -> None:
        """See KeyValueStores."""
        server = await self._let_in(id, _verifier(_password_in(current)))
        async with linked(server) as link:
            await link.ask("CLIENT", "KILL", "USER", "default")

    async def configure(self, id: UUID, *, eviction: str | None, timeout_s: int | None, events: str | None) -> None:
        """See KeyValueStores."""
        server = await self._servers.run_store(StoreOrder(id, eviction=eviction, timeout_s=timeout_s, events=events))
        async with linked(server) as link:
            for name, value in zip(_SETTINGS, (eviction, timeout_s, events), strict=True):
                if value is not None:
                    await link.ask("CONFIG", "SET", name, value)

    async def reset_stats(self, id: UUID) -> None:
        """See KeyValueStores."""
        async with linked(await self._servers.run_store(StoreOrder(id))) as link:
            await link.ask("CONFIG", "RESETSTAT")

    async def restart(self, id: UUID) -> None:
        """See KeyValueStores."""
        async with linked(await self._servers.run_store(StoreOrder(id))) as link:
            try:
                await link.ask("SHUTDOWN")
            except ConnectionResetError:
                pass  # how it says yes
        await self._servers.run_store(StoreOrder(id))

    async def _let_in(self, id: UUID, *verifiers: str) -> StoreServer:
        server = await self._servers.run_store(StoreOrder(id, verifiers=verifiers))
        async with linked(server) as link:
            await link.ask("ACL", "LOAD")
        return server


def _order(id: UUID, plan: Plan, *, verifiers: tuple[str, ...] | None = None) -> StoreOrder:
    limits = plan.limits
    return StoreOrder(id, limits["bytes"], limits["connections"], bool(limits["durable"]), verifiers)


def _password() -> str:
    return f"p{secrets.token_hex(32)}"


def _verifier(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _url(server: StoreServer, password: str) -> str:
    return f"rediss://:{password}@{server.address}:{server.port}"


def _password_in(url: str) -> str:
    password = urlsplit(url).password
    if not password:
        raise Unavailable("The URL of this add-on has no password; reset its credentials again in a minute.")
    return password


async def _information(link: Link, section: str = "default") -> dict[str, str]:
    lines = (await link.ask("INFO", section)).splitlines()
    return {name: value for line in lines if not line.startswith("#") for name, found, value in (line.partition(":"),) if found}


_: type[Supplier] = RedisSupplier
_stores: type[KeyValueStores] = RedisSupplier
