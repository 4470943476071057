"""The command line of the agent. Settings come by flags only, so that they show in the process list of a machine's owner."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import senryu
from senryu.core.errors import PlatformError

from . import boot, cleanup, forwarding, given_database, home, lot, mounts, network
from .data import Data
from .disk import Disks
from .dynos import Dynos
from .firewall import Database
from .front import Front
from .home import Home
from .launch import Site
from .request_log import keep_bounded
from .server import Server, listen
from .slugs import Slugs


def run(argv: Sequence[str] | None) -> int:
    """See `main`."""
    arguments = _parser().parse_args(argv)
    if os.geteuid() != 0:
        print("senryu-agent has to run as root: it makes namespaces, mounts and control groups for dynos.", file=sys.stderr)
        return 77
    try:
        place = home.home_of(arguments.home, arguments.user)
        if arguments.cleanup:
            cleanup.clean(place, arguments.user)
            return 0
        front = Front(arguments.objects_host, tuple(arguments.router_port), arguments.router_address, arguments.router_lan_address)
        database = given_database.database_in(arguments.database)
        _run_agent(place, arguments.user, front, database)
    except PlatformError as error:
        print(f"senryu-agent: {error.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="senryu-agent", description="Runs dynos for senryud. Needs root.")
    parser.add_argument("--home", required=True, help="SENRYU_HOME")
    parser.add_argument("--user", required=True, help="the user senryud runs as")
    parser.add_argument("--objects-host", default="", help="host name of object storage; without one there is none")
    parser.add_argument("--router-port", action="append", type=int, default=[], help="a port of the router; may be given again")
    parser.add_argument("--router-address", default="", help="the address it listens on; none: the loopback")
    parser.add_argument("--router-lan-address", default="", help="a private address where dynos may visit it, too")
    parser.add_argument("--database", default="", metavar="HOST:PORT", help="a PostgreSQL server of yours, which dynos are to reach")
    parser.add_argument("--cleanup", action="store_true", help="end all dynos of this home and remove all that was made outside it")
    return parser


def _run_agent(place: Home, user: str, front: Front, database: Database | None) -> None:
    for_objects = front if front.objects_host and front.ports else None
    mounts.private_mounts()
    mounts.adopt_orphans()
    home.prepare(place)
    lock = home.only_agent(place)
    try:
        our_lot, is_new = lot.claim(place.agent, place.root)
        if is_new:
            cleanup.forget_owners(place)
        for directory in (place.slugs, place.runtime):
            boot.forget_earlier_boots(directory)
        network.prepare(our_lot, front)
        if database is not None:
            network.lead_to_database(our_lot, database, given_database.remembered(place.agent, database))
        site = Site(place, our_lot, Disks(place.disks), tuple(network.resolvers()), built_in_buildpacks(), for_objects, database)
        asyncio.run(_serve(site, Data(place, our_lot, user, for_objects)))
    finally:
        os.close(lock)


async def _serve(site: Site, data: Data) -> None:
    async with Dynos(site, Slugs(site.home, site.lot.slug_uid)) as dynos:
        with listen(site) as listener:
            await _until_told_to_end(_work(site, dynos, data, listener))


async def _work(site: Site, dynos: Dynos, data: Data, listener: socket.socket) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Server(site, dynos, data).serve(listener), name="door")
        tasks.create_task(data.look_after(), name="data")
        tasks.create_task(forwarding.keep_open(site.lot), name="forwarding")
        tasks.create_task(given_database.follow(site.lot, site.home.agent, site.database), name="given-database")
        tasks.create_task(keep_bounded(site.home.root), name="request-log")


async def _until_told_to_end(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(work, name="serve")
        await told.wait()
        serving.cancel()


def built_in_buildpacks() -> Path:
    """The installed built-in buildpacks: inside the package, or beside it in a checkout."""
    package = Path(os.path.realpath(senryu.__file__)).parent
    for place in (package / "buildpacks", package.parent.parent / "buildpacks"):
        if place.is_dir():
            return place
    return package / "buildpacks"
