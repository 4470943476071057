"""What HAProxy routes: apps in numbered backends ("slots"), dynos as servers in them, hosts in a map. Values and text only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

from senryu.core.route import Route, RouteMode, RouteTarget
from senryu.routers.haproxy.pages import framed_url


@dataclass(frozen=True, slots=True)
class Server:
    """A dyno as HAProxy names it: `web.1:<dyno id>`. A leaving one takes nothing new and is deleted when its last request ended.

    `number` is HAProxy's own of a server it has, unique in its slot.
    """

    name: str
    address: str
    is_draining: bool = False
    is_leaving: bool = False
    number: int = field(default=0, compare=False)

    @property
    def dyno_id(self) -> UUID:
        return UUID(self.name.partition(":")[2])


@dataclass(frozen=True, slots=True)
class App:
    """The app in a slot, as `apps.map` writes it: `serve:<app id>:<app name>`."""

    app_id: UUID
    app_name: str
    mode: RouteMode


@dataclass(frozen=True, slots=True)
class Live:
    """Everything HAProxy says it routes, keyed by slot; `hosts` is host → slot.

    `slots` are all there are, `busy` those that still have visitors. `dynos` is None where HAProxy does not know that map.
    """

    slots: tuple[str, ...] = ()
    busy: frozenset[str] = frozenset()
    hosts: Mapping[str, str] = field(default_factory=dict)
    apps: Mapping[str, App] = field(default_factory=dict)
    dynos: Mapping[str, str] | None = field(default_factory=dict)
    error_pages: Mapping[str, str] = field(default_factory=dict)
    maintenance_pages: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)

    def slot_of(self, app_id: UUID) -> str | None:
        return next((slot for slot, app in self.apps.items() if app.app_id == app_id), None)

    def without_dynos(self) -> frozenset[str]:
        """Slots whose apps' visitors are held up until there is a dyno."""
        waiting = (RouteMode.BOOT, RouteMode.IDLE)
        empty = {slot for slot in self.apps if all(server.is_leaving for server in self.servers.get(slot, ()))}
        return frozenset(slot for slot, app in self.apps.items() if app.mode in waiting or (app.mode is RouteMode.SERVE and slot in empty))


def slot_names(count: int) -> list[str]:
    """`be_0001` … : width is fixed, so that they sort."""
    return [f"be_{number:04d}" for number in range(1, count + 1)]


def server_of(target: RouteTarget) -> Server:
    return Server(f"{target.dyno_name}:{target.dyno_id}", target.address, is_draining=target.is_draining)


def dynos_value(servers: Iterable[Server]) -> str:
    """Where an app's dynos listen that take new requests, as `dynos.map` writes it: `10.64.0.7:5000,10.64.0.8:5000`, or `none`."""
    return ",".join(server.address for server in servers if not server.is_draining and not server.is_leaving) or "none"


def app_value(app: App) -> str:
    return f"{app.mode}:{app.app_id}:{app.app_name}"


@lru_cache(4096)  # every change reads all rows, and few are new
def app_from(value: str) -> App:
    """Raises ValueError for anything that `app_value` does not write."""
    mode, app_id, name = value.split(":")
    return App(UUID(app_id), name, RouteMode(mode))


def map_text(rows: Iterable[tuple[str, str]]) -> str:
    """A map file: one `key value` a line."""
    return "".join(f"{key} {value}\n" for key, value in sorted(rows))


def routes_of(live: Live) -> list[Route]:
    """What is routed, as routes."""
    hosts: dict[str, list[str]] = {}
    for host, slot in live.hosts.items():
        hosts.setdefault(slot, []).append(host)
    return [
        Route(
            app_id=app.app_id,
            app_name=app.app_name,
            hosts=tuple(sorted(hosts.get(slot, ()))),
            mode=app.mode,
            targets=tuple(
                RouteTarget(s.dyno_id, s.name.partition(":")[0], s.address, s.is_draining)
                for s in live.servers.get(slot, ())
                if not s.is_leaving
            ),
            error_page_url=framed_url(live.error_pages.get(slot, "")),
            maintenance_page_url=framed_url(live.maintenance_pages.get(slot, "")),
        )
        for slot, app in sorted(live.apps.items())
    ]
