"""Key-value stores: add-ons with a Redis server of their own each.

Source: https://devcenter.heroku.com/articles/heroku-redis
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from .add_on import AddOn, Plan

SERVICE = "heroku-redis"
PORTS = range(20_001, 22_000)  # of the dynos' gateway: one each
SPARE_CONNECTIONS = 8  # for the platform, above those of the plan

EVICTION = {
    "noeviction": "returns errors when memory limit is reached",
    "allkeys-lfu": "removes less frequently used keys first",
    "volatile-lfu": "removes less frequently used keys first that have an expiry set",
    "allkeys-lru": "removes less recently used keys first",
    "volatile-lru": "removes less recently used keys first that have an expiry set",
    "allkeys-random": "evicts random keys",
    "volatile-random": "evicts random keys but only those that have an expiry set",
    "volatile-ttl": "only evicts keys with an expiry set and a short TTL",
}


@dataclass(frozen=True, slots=True)
class StoreOrder:
    """What a server is to be. What is None stays as it was, or as a new server has it.

    `verifiers` are SHA-256 digests (hexadecimal) of the passwords that let in; `is_durable`: no write is acknowledged before it is on disk.
    """

    id: UUID
    memory_bytes: int | None = None
    connections: int | None = None
    is_durable: bool | None = None
    verifiers: tuple[str, ...] | None = None
    eviction: str | None = None
    timeout_s: int | None = None
    events: str | None = None


@dataclass(frozen=True, slots=True)
class StoreServer:
    """Where one is: dynos reach it at `address`:`port`, the platform at the Unix socket `socket` as `senryu` with `secret`.

    `version` is that of the program on the machine, which a server that runs for long may be older than.
    """

    address: str
    port: int
    socket: str
    version: str
    secret: str = field(repr=False)


class StoreServers(Protocol):
    """What runs them."""

    async def run_store(self, order: StoreOrder) -> StoreServer:
        """Sees to it that the server runs and will run from now on. What it runs with already changes by its administrator only.

        Raises: NotFound when there is none yet and the order has no `verifiers`, Unavailable with what the owner has to do.
        """

    async def remove_store(self, id: UUID) -> None:
        """Ends the server and takes its data away. Nothing to do when there is none. Raises: Unavailable."""


class KeyValueStores(Protocol):
    """What can be asked of stores beyond a Supplier's calls. All raise Unavailable when the server does not answer."""

    async def state(self, id: UUID) -> Mapping[str, str]:
        """What the server says of itself: the fields of INFO, `CONFIG GET`s as `maxmemory-policy` and so on, `installed_version`."""

    async def admit(self, id: UUID, former: str) -> Mapping[str, str]:
        """Lets a new password in beside that of the URL `former`; gives the config with it."""

    async def dismiss(self, id: UUID, current: str) -> None:
        """Lets only the password of the URL `current` in from now on; ends the connections made with others."""

    async def configure(self, id: UUID, *, eviction: str | None, timeout_s: int | None, events: str | None) -> None:
        """Changes settings, now and for later. Raises: Invalid for a value the server does not know."""

    async def reset_stats(self, id: UUID) -> None:
        """CONFIG RESETSTAT."""

    async def restart(self, id: UUID) -> None:
        """Runs the server with the program that is installed now."""


def info_rows(add_on: AddOn, plan: Plan, state: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """What `redis:info` shows, in its order."""
    return [
        ("Plan", [plan.human_name]),
        ("Status", ["available" if state.get("loading", "0") == "0" else "loading"]),
        ("Created", [add_on.created_at.strftime("%Y-%m-%d %H:%M UTC")]),
        ("Version", [state.get("redis_version", "unknown")]),
        ("Timeout", [state.get("timeout", "unknown")]),
        ("Maxmemory", [state.get("maxmemory-policy", "unknown")]),
        ("Maintenance", ["not required"]),
        ("Persistence", ["AOF" if plan.limits["durable"] else "None"]),
        ("HA Status", ["Unavailable"]),
        ("Requires TLS", ["Yes"]),
        ("Keyspace Notifications", [state.get("notify-keyspace-events") or "Disabled"]),
        ("Connections", [f"{_tenants(state)}/{plan.limits['connections']}"]),
        ("Memory", [f"{int(state.get('used_memory', 0)) / 2**20:.1f}/{plan.limits['bytes'] // 2**20} MB"]),
    ]


def _tenants(state: Mapping[str, str]) -> int:
    return max(0, int(state.get("connected_clients", 1)) - 1)  # the one that asks is the platform's


def setting_shown(name: str, value: str) -> Mapping[str, object]:
    """A setting as the data API gives it: `{"value", "values": {value: what it does}}`."""
    if name == "timeout":
        return {"value": int(value), "values": {}}
    return {"value": value, "values": EVICTION if name == "maxmemory_policy" else {}}


def settings_shown(state: Mapping[str, str]) -> dict[str, Mapping[str, object]]:
    """All settings that tenants may change."""
    names: Iterable[tuple[str, str]] = (
        ("maxmemory_policy", "maxmemory-policy"),
        ("notify_keyspace_events", "notify-keyspace-events"),
        ("timeout", "timeout"),
    )
    return {shown: setting_shown(shown, state.get(name, "0" if name == "timeout" else "")) for shown, name in names}
