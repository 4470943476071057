"""The platform's processes as values: what runs as whom. Pure; systemd and runit write them down each in its own form."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..config import SETTINGS, WITH_PASSWORDS, Settings
from ..core.reach import DATABASE_PORT

# It opens the request log itself: it may put a link there, which root would follow.
_STARTER = Path(__file__).parents[1] / "routers" / "haproxy" / "starter.sh"

# All visitors wait for this one process, which never works long at a time; decisions/0091.
_ROUTER_FIRST = -10

USER = "senryu"
ROUTER_USER = "senryu-router"


@dataclass(frozen=True, slots=True)
class Service:
    """One supervised process. `niceness` as of nice(1)."""

    name: str
    what: str
    argv: tuple[str, ...]
    user: str
    capabilities: tuple[str, ...] = ()
    keeps_children: bool = False
    niceness: int = 0


def flags(settings: Settings) -> tuple[str, ...]:
    """The settings as flags of senryud, so that a service needs no environment."""
    given: list[str] = []
    for name, (_, default, _) in SETTINGS.items():
        value = getattr(settings, name)
        if value != default and str(value) and name not in WITH_PASSWORDS:
            given += [f"--{name.replace('_', '-')}", str(value)]
    return tuple(given)


def program(name: str) -> str:
    """A console script of the running Python's environment."""
    return str(Path(sys.executable).parent / name)


def preparation(settings: Settings) -> tuple[str, ...]:
    """What runs once as `senryu` before the processes start: kept out of their restarts, which are to take no time."""
    return (program("senryud"), *flags(settings), "prepare")


def _database(settings: Settings) -> tuple[str, ...]:
    parts = urlsplit(settings.postgres_admin_url)
    return ("--database", f"{parts.hostname}:{parts.port or DATABASE_PORT}") if parts.hostname else ()


def services(settings: Settings) -> tuple[Service, ...]:
    """The three processes. A database URL with a password goes into senryu.toml, not into argv."""
    home, ours = settings.home, flags(settings)
    needs_low_port = min(settings.port, settings.tls_port) < 1024
    front = ("--objects-host", settings.objects_host, "--router-port", str(settings.port), "--router-port", str(settings.tls_port))
    address = ("--router-address", settings.listen) if settings.listen else ()
    lan = ("--router-lan-address", settings.lan_address) if settings.lan_address else ()
    return (
        Service(
            "agent",
            "Senryu agent: starts and stops dynos (root)",
            (program("senryu-agent"), "--home", str(home), "--user", USER, *front, *address, *lan, *_database(settings)),
            "root",
            keeps_children=True,
        ),
        Service(
            "router",
            "Senryu router: HAProxy",
            ("/bin/sh", str(_STARTER), str(home)),
            ROUTER_USER,
            capabilities=("net_bind_service",) if needs_low_port else (),
            niceness=_ROUTER_FIRST,
        ),
        Service("senryud", "Senryu platform: API, git, supervision", (program("senryud"), *ours, "serve"), USER),
    )
