"""Which ports of the platform's own data servers an app's dynos and builds may reach: those that its environment names.

What is behind a port asks for a password all the same. This keeps apps that have no business there from even knocking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from .key_value_store import PORTS as STORE_PORTS

DATABASE_PORT = 5432
FOLLOWER_PORT = 5433
DATABASE_PORTS = (DATABASE_PORT, FOLLOWER_PORT)
# Also `postgresql+psycopg://`, `jdbc:postgresql://`.
_DATABASE_URL = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://(?:[^@/\s]*@)?[^/:@\s]+(?::(\d{1,5}))?(?:[/?]|\Z)")


def may_be_reached(port: int) -> bool:
    """Whether it is one that a dyno can be let through to."""
    return port in DATABASE_PORTS or port in STORE_PORTS


def reached_ports(env: Mapping[str, str], attached: Mapping[str, str]) -> tuple[int, ...]:
    """The ports that an app's dynos may reach, by its whole environment and what of that is from its add-ons.

    A database's URL may have been copied from another app by hand, as at Heroku. The port of a store is for apps that have it attached,
    as Redis counts connections before it knows whose they are.
    """
    databases = {port for value in env.values() if (port := _database_port(value)) is not None}
    stores = {_store_port(value) for value in attached.values() if value.startswith("rediss://")}
    return tuple(sorted(databases | {port for port in stores if port in STORE_PORTS}))


def _database_port(value: str) -> int | None:
    """Of the port of a server elsewhere nothing is known here; the agent is told where the operator's own is."""
    found = _DATABASE_URL.search(value)
    if found is None:
        return None
    return FOLLOWER_PORT if found[1] == str(FOLLOWER_PORT) else DATABASE_PORT


def _store_port(url: str) -> int:
    try:
        return urlsplit(url).port or 0
    except ValueError:
        return 0
