"""The files HAProxy starts from, written so that a start at any moment finds whole ones."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from senryu.routers.haproxy import certificate_files
from senryu.routers.haproxy.config import config_stamp, config_text
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import Live, Server, app_value, dynos_value, map_text
from senryu.routers.haproxy.tls import ensure_apart, names_for
from senryu.routers.whole import SHARED_FILE, write_whole

_SCRIPT = (Path(__file__).parent / "hold.lua").read_text()  # as this process was started: an upgrade may replace the file beneath it
_OF_OBJECTS = (Path(__file__).parent / "objects.lua").read_text()
_SHARED_FOLDER = 0o2770  # senryud and HAProxy are different users of one group
_BACKEND = re.compile(r"backend (be_[0-9]+) ")
_SERVER = re.compile(r"  server (\S+) (\S+) maxconn [0-9]+( .*?)?( weight 0)?$")


def write_start_files(settings: RouterSettings) -> None:
    """Makes all that HAProxy needs for a start: configuration, maps, hold script, certificates, an empty request log.

    What the files of an earlier run say about apps and dynos is kept, the rest is written anew: run it whenever settings or the
    platform's version may have changed, before HAProxy is started. Idempotent; blocks. Raises OSError.
    """
    for folder in (settings.folder, settings.socket.parent):
        _share(folder)
    hosts = [line.split(" ")[0] for line in settings.hosts.read_text().splitlines()] if settings.hosts.exists() else []
    ensure_apart(settings.tls, names_for(settings.domain, hosts))
    old = settings.config.read_text() if settings.config.exists() else ""
    slots = max(settings.slots, len(_BACKEND.findall(old)))
    servers = servers_in(old)
    write_whole(settings.config, config_text(settings, slots, servers, stamp(settings)))
    write_whole(settings.dynos, map_text((slot, dynos_value(its)) for slot, its in servers.items()))
    write_whole(settings.hold, _SCRIPT)
    write_whole(settings.objects_script, _OF_OBJECTS)
    certificate_files.prepare(settings)
    pages = (settings.error_pages, settings.maintenance_pages)
    for file in (settings.hosts, settings.apps, settings.challenges, settings.rooms, *pages, settings.log):
        if not file.exists():
            file.touch(mode=SHARED_FILE)
            file.chmod(SHARED_FILE)


@lru_cache(8)
def stamp(settings: RouterSettings) -> str:
    """What says whether a HAProxy was started from files that this version writes for these settings."""
    return config_stamp(settings, _SCRIPT + _OF_OBJECTS)


def _share(folder: Path) -> None:
    """Whatever the umask: HAProxy makes its sockets there. A folder that somebody else made is theirs to share."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(_SHARED_FOLDER)


def save(settings: RouterSettings, live: Live, slots: int) -> None:
    """Writes what is routed now, so that HAProxy would start with it. The configuration goes first: hosts name its slots. Blocks."""
    write_whole(settings.config, config_text(settings, slots, live.servers, stamp(settings)))
    write_whole(settings.error_pages, map_text(live.error_pages.items()))
    write_whole(settings.maintenance_pages, map_text(live.maintenance_pages.items()))
    write_whole(settings.apps, map_text((slot, app_value(app)) for slot, app in live.apps.items()))
    write_whole(settings.dynos, map_text((slot, dynos_value(live.servers.get(slot, ()))) for slot in live.apps))
    write_whole(settings.hosts, map_text(live.hosts.items()))


def servers_in(config: str) -> Mapping[str, tuple[Server, ...]]:
    """The dynos that a configuration of ours names, by slot."""
    found: dict[str, list[Server]] = {}
    slot = ""
    for line in config.splitlines():
        if line.startswith("backend"):
            named = _BACKEND.match(line)
            slot = named[1] if named else ""
        elif slot and (server := _SERVER.match(line)):
            found.setdefault(slot, []).append(Server(server[1], server[2], is_draining=server[4] is not None))
    return {slot: tuple(servers) for slot, servers in found.items()}
