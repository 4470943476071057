"""Real Redis servers, run by the agent's own code on an address of the loopback."""

from __future__ import annotations

import os
import secrets
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from senryu.agent import cgroup, data
from senryu.agent.data import Data
from senryu.agent.home import Home
from senryu.agent.lot import Lot

NEEDED = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: each server runs as a user of its own"),
    pytest.mark.skipif(not Path("/usr/bin/redis-check-rdb").exists(), reason="Redis is not installed (Debian package redis-tools)"),
]

_clients: list[Any] = []


# No copy of the platform draws it (agent/lot.py): a copy that another test makes at the same time would find our servers among its own.
_NUMBER = 300


class OnLoopback(Lot):
    """A lot whose gateway is an address of the loopback that nobody else has."""

    ADDRESS = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"

    @property
    def gateway(self) -> str:
        return self.ADDRESS

    @property
    def cgroup(self) -> str:
        return f"senryu-test-{os.getpid()}"


@asynccontextmanager
async def servers() -> AsyncIterator[tuple[Data, Home]]:
    """The agent's part, and a home; all of it gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="sr-", dir="/var/tmp"))
    root.chmod(0o755)
    home, lot = Home(root, os.getuid(), os.getgid()), OnLoopback(_NUMBER)
    home.agent.mkdir(mode=0o711)
    try:
        yield Data(home, lot, "root"), home
    finally:
        while _clients:
            await _clients.pop().aclose()
        data.stop_all(home, lot, "root")
        cgroup.remove_group(f"/{lot.cgroup}")
        shutil.rmtree(root)


def client(url: str, **options: Any) -> Any:
    """A client as tenants have it: redis-py, that believes any certificate as Heroku's documents say."""
    made = Redis.from_url(url, ssl_cert_reqs=ssl.CERT_NONE, ssl_check_hostname=False, decode_responses=True, socket_timeout=20, **options)
    _clients.append(made)
    return made
