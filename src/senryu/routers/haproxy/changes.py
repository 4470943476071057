"""From what HAProxy routes to what it should route: the commands between the two, in an order that loses no request."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from uuid import UUID

from senryu.core.errors import Invalid
from senryu.core.route import Route, is_host
from senryu.routers.haproxy import pages
from senryu.routers.haproxy.config import server_words
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import App, Live, Server, app_value, dynos_value, server_of

_APP_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_DYNO_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}\.[0-9]{1,9}\Z")
_ADDRESS = re.compile(r"([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}\Z")


@dataclass(frozen=True, slots=True)
class Command:
    """One line for the runtime API and the answers that mean it was done."""

    text: str
    done: tuple[str, ...] = ("",)


class NoSlotLeft(Exception):
    """Every backend has an app; the configuration must grow."""


def check(route: Route) -> None:
    """Raises Invalid for a route with something in it that could not be written on a command line."""
    for host in route.hosts:
        if not is_host(host):
            raise Invalid(f"The host `{host[:100]}` is not a host name; use letters, digits, hyphens and dots.", app=route.app_name)
    if not _APP_NAME.match(route.app_name):
        raise Invalid(f"The app name `{route.app_name[:100]}` cannot be routed; use lower-case letters, digits and hyphens.")
    for target in route.targets:
        if not _DYNO_NAME.match(target.dyno_name) or not _ADDRESS.match(target.address):
            raise Invalid(f"The dyno `{target.dyno_name[:70]}` at `{target.address[:70]}` cannot be routed to.", app=route.app_name)


def apply_commands(live: Live, route: Route, settings: RouterSettings) -> list[Command]:
    """New dynos first, then the mode, then the hosts; only then do old dynos leave: at no moment is there nobody to answer.

    Raises NoSlotLeft, Invalid.
    """
    check(route)
    slot = live.slot_of(route.app_id) or _free_slot(live)
    wanted = {server.name: server for server in map(server_of, route.targets)}
    present = {server.name: server for server in live.servers.get(slot, ())}
    taken = {server.number for server in present.values()}
    numbers = (number for number in count(1) if number not in taken)
    arriving = [c for server in wanted.values() for c in _arrive(slot, server, present.get(server.name), numbers, settings)]
    leaving = [c for server in present.values() if server.name not in wanted for c in _leave(slot, server)]
    dynos = _put(settings.dynos, slot, dynos_value(wanted.values()), live.dynos.get(slot)) if live.dynos is not None else []
    return [*arriving, *_page_commands(live, slot, route, settings), *_app(live, slot, route, settings),
            *_hosts(live, slot, route, settings), *dynos, *leaving]  # fmt: skip


def remove_commands(live: Live, app_id: UUID, settings: RouterSettings) -> list[Command]:
    """Hosts first, so that nothing new comes in; the slot is free when its last dyno has left."""
    slot = live.slot_of(app_id)
    if slot is None:
        return []
    pages_files = ((settings.error_pages, live.error_pages), (settings.maintenance_pages, live.maintenance_pages))
    return [
        *(_forget(settings.hosts, host) for host, its_slot in live.hosts.items() if its_slot == slot),
        _forget(settings.apps, slot),
        *([_forget(settings.dynos, slot)] if slot in (live.dynos or ()) else []),
        *(_forget(file, slot) for file, rows in pages_files if slot in rows),
        *(command for server in live.servers.get(slot, ()) for command in _leave(slot, server)),
    ]


def tidy_commands(live: Live) -> list[Command]:
    """Deletes dynos that left as soon as their last request has ended."""
    return [_delete(slot, s) for slot, servers in live.servers.items() for s in servers if s.is_leaving]


def challenge_commands(present: Collection[str], paths: Collection[str], settings: RouterSettings) -> list[Command]:
    """Paths that the platform answers for every host."""
    gone = [_forget(settings.challenges, path) for path in present if path not in paths]
    return [*(Command(f"add map {settings.challenges} {path} yes") for path in paths if path not in present), *gone]


def room_commands(present: Mapping[str, str], rooms: Mapping[str, int], settings: RouterSettings) -> list[Command]:
    """How much each bucket of object storage may still take."""
    gone = [_forget(settings.rooms, bucket) for bucket in present if bucket not in rooms]
    changed = [f"{'set' if bucket in present else 'add'} map {settings.rooms} {bucket} {room}" for bucket, room in rooms.items()
               if present.get(bucket) != str(room)]  # fmt: skip
    return [*map(Command, changed), *gone]


def empty_slots(live: Live) -> list[str]:
    """Those without an app and without dynos of their last one; visitors of it may still be there."""
    return [slot for slot in live.slots if slot not in live.apps and not live.servers.get(slot)]


def _free_slot(live: Live) -> str:
    """One without an app, and without dynos or visitors of its last app: those must not reach this one's dynos."""
    slot = next((slot for slot in empty_slots(live) if slot not in live.busy), None)
    if slot is None:
        raise NoSlotLeft
    return slot


def _arrive(slot: str, wanted: Server, present: Server | None, numbers: Iterator[int], settings: RouterSettings) -> list[Command]:
    name = f"{slot}/{wanted.name}"
    state = Command(f"set server {name} state {'drain' if wanted.is_draining else 'ready'}")
    if present is None:
        # Not with the keyword `enabled`: 2.6 then says the server is up and gives it nothing.
        present_as = server_words(replace(wanted, is_draining=False), settings)
        # Where a server stands among those that 2.6 chooses from comes of its number, which 2.6 itself gives too late: all would stand in
        # the same places, and of three dynos and more only the first and the last be chosen.
        added = Command(f"add server {name} {present_as} id {next(numbers)}", ("New server registered.",))
        return [added, Command(f"enable server {name}"), *([state] if wanted.is_draining else [])]
    if present == wanted:
        return []
    weight = Command(f"set server {name} weight 1")  # 0 when it was draining as HAProxy started
    return [state, *([weight] if not wanted.is_draining else [])]


def _leave(slot: str, server: Server) -> list[Command]:
    """Maintenance takes nothing new, hands its queue to the others, and lets what it has finish."""
    stop = [] if server.is_leaving else [Command(f"set server {slot}/{server.name} state maint")]
    return [*stop, _delete(slot, server)]


def _delete(slot: str, server: Server) -> Command:
    still_busy = "Server still has connections attached to it, cannot remove it."
    return Command(f"del server {slot}/{server.name}", ("Server deleted.", still_busy))


def _app(live: Live, slot: str, route: Route, settings: RouterSettings) -> list[Command]:
    app = App(route.app_id, route.app_name, route.mode)
    return _put(settings.apps, slot, app_value(app), app_value(live.apps[slot]) if slot in live.apps else None)


def _hosts(live: Live, slot: str, route: Route, settings: RouterSettings) -> list[Command]:
    added = [c for host in route.hosts for c in _put(settings.hosts, host, slot, live.hosts.get(host))]
    gone = [host for host, its_slot in live.hosts.items() if its_slot == slot and host not in route.hosts]
    return [*added, *(_forget(settings.hosts, host) for host in gone)]


def _page_commands(live: Live, slot: str, route: Route, settings: RouterSettings) -> list[Command]:
    wanted = (
        (settings.error_pages, live.error_pages, route.error_page_url, pages.ERROR_TITLE),
        (settings.maintenance_pages, live.maintenance_pages, route.maintenance_page_url, pages.MAINTENANCE_TITLE),
    )
    commands: list[Command] = []
    for file, rows, url, title in wanted:
        body = pages.frame(url, title) if url else None
        if body == rows.get(slot):
            continue
        if slot in rows:
            commands.append(_forget(file, slot))
        if body is not None:
            commands.append(Command(f"add map {file} <<\n{slot} {body}"))
    return commands


def _put(file: Path, key: str, value: str, present: str | None) -> list[Command]:
    if present == value:
        return []
    return [Command(f"{'add' if present is None else 'set'} map {file} {key} {value}")]


def _forget(file: Path, key: str) -> Command:
    return Command(f"del map {file} {key}")
