"""Where the operator's own PostgreSQL server is now: its name is looked up again and again, and dynos with a grant are led there.

What it was when a look-up gave nothing is believed until one gives something, after a restart of the agent too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from senryu.core.errors import PlatformError

from . import network, record
from .firewall import Database
from .lot import Lot

LOOK_S = 5.0
_PATIENCE_S = 5.0
_KEPT = "given-database.json"


def database_in(place: str) -> Database | None:
    """`HOST:PORT`; None for what is no place. Pure."""
    host, _, port = place.rpartition(":")
    is_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    return Database(host.strip("[]"), int(port)) if host and is_port else None


def addresses_in(answer: str) -> tuple[str, ...]:
    """The IPv4 addresses in what `getent ahostsv4` says, each once, in order. Pure."""
    found = []
    for line in answer.splitlines():
        with contextlib.suppress(ValueError, IndexError):
            found.append(str(IPv4Address(line.split()[0])))
    return tuple(sorted(set(found)))


def looked_up(host: str) -> tuple[str, ...]:
    """Its addresses now; none when nobody knows it. A program is asked, since it can be ended. Raises: OSError, TimeoutExpired."""
    with contextlib.suppress(ValueError):
        return (str(IPv4Address(host)),)
    done = subprocess.run(["getent", "ahostsv4", "--", host], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    return addresses_in(done.stdout)


def remembered(directory: Path, database: Database | None) -> tuple[str, ...]:
    """Where it was last, without asking anybody."""
    if database is None:
        return ()
    with contextlib.suppress(ValueError):
        return (str(IPv4Address(database.host)),)
    with contextlib.suppress(OSError, ValueError):
        known = json.loads((directory / _KEPT).read_bytes())
        return addresses_in("\n".join(known["addresses"])) if known["host"] == database.host else ()
    return ()


async def follow(
    lot: Lot,
    directory: Path,
    database: Database | None,
    look: Callable[[str], Sequence[str]] = looked_up,
    lead: Callable[[Lot, Database, Sequence[str]], None] = network.lead_to_database,
) -> None:
    """Looks every LOOK_S seconds, for ever. Each problem is told once, and so is each other address."""
    if database is None:
        return
    known, told = remembered(directory, database), ""
    while True:
        problem = f"no IPv4 address of {database.host} is known"
        try:
            found = tuple(await asyncio.to_thread(look, database.host))
            if found and found != known:
                await asyncio.to_thread(lead, lot, database, found)
                record.replace(directory / _KEPT, json.dumps({"host": database.host, "addresses": found}).encode())
                _say(f"{database.host} is at {', '.join(found)}")
                known = found
            problem = "" if found else problem
        except (OSError, subprocess.SubprocessError, PlatformError) as error:
            problem = f"{database.host} could not be looked up: {error}"
        if problem and problem != told:
            _say(f"{problem}: dynos are led to where it was ({', '.join(known) or 'nowhere'})")
        told = problem
        await asyncio.sleep(LOOK_S)


def _say(text: str) -> None:
    print(f"senryu-agent: {text}", file=sys.stderr, flush=True)
