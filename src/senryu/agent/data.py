"""The data servers of a home: which there are is kept on disk; each that should run is looked after."""

from __future__ import annotations

import asyncio
import sys

from senryu.core.data_server import DataServer, Kind
from senryu.core.errors import PlatformError

from . import network, postgres
from .home import Home
from .lot import Lot

_ROUND_S = 2.0
_KINDS: tuple[Kind, ...] = ("postgres",)


def place_of(home: Home, lot: Lot, user: str) -> postgres.Place:
    """Where PostgreSQL is."""
    return postgres.Place(home.root / "data" / "postgres", lot.gateway, lot.subnet, user)


class Data:
    """Runs data servers. What was asked for once runs until the home is cleaned up."""

    def __init__(self, home: Home, lot: Lot, user: str) -> None:
        self._lot, self._postgres = lot, place_of(home, lot, user)
        self._wanted = home.agent / "data"
        self._alone = asyncio.Lock()
        self._open: set[Kind] = set()  # to dynos, since this agent began

    async def run(self, kind: Kind) -> DataServer:
        """See DataServers."""
        async with self._alone:
            await asyncio.to_thread(postgres.run, self._postgres)
            if kind not in self._open:
                await asyncio.to_thread(network.open_service, self._lot, self._postgres.port)
                self._wanted.mkdir(mode=0o700, exist_ok=True)
                (self._wanted / kind).touch()
                self._open.add(kind)
        return DataServer(self._postgres.address, self._postgres.port, str(self._postgres.sockets))

    async def look_after(self) -> None:
        """Starts again what has ended, for ever. What it cannot do is said once, not each time."""
        said = ""
        while True:
            for kind in _KINDS:
                if (self._wanted / kind).exists() and (kind not in self._open or not postgres.is_running(self._postgres)):
                    problem = await self._tried(kind)
                    if problem and problem != said:
                        print(f"senryu-agent: {kind}: {problem}", file=sys.stderr, flush=True)
                    said = problem
            await asyncio.sleep(_ROUND_S)

    async def _tried(self, kind: Kind) -> str:
        """Why it does not run, empty when it does. Nothing of a data server's may end the agent."""
        try:
            await self.run(kind)
        except PlatformError as problem:
            return problem.message
        except Exception as problem:
            return f"{type(problem).__name__}: {problem}"
        return ""


def stop_all(home: Home, lot: Lot, user: str) -> None:
    """Ends the servers. Their data stays. Blocks."""
    if (home.agent / "data").is_dir():
        postgres.stop(place_of(home, lot, user))

