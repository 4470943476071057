"""The data servers of a home: which there are is kept on disk; each that should run is looked after.

Some kinds have one server for all add-ons, made from `_shared`; others have one for each add-on. To the agent all are programs.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from senryu.core.data_server import DataServer, Kind
from senryu.core.errors import PlatformError

from . import network, postgres
from .home import Home
from .lot import Lot

_ROUND_S = 2.0
_STARTS_MAX = 2  # at once, after a reboot


class Program(Protocol):
    """One data server. Each call blocks."""

    @property
    def port(self) -> int:
        """Of the gateway, where dynos reach it."""

    def run(self) -> DataServer:
        """Sees to it that it runs and answers. Raises: Unavailable with what the owner of the machine has to do."""

    def is_running(self) -> bool:
        """Whether its process is there."""

    def stop(self) -> None:
        """Ends it if it runs. Its data stays."""


def _shared(home: Home, lot: Lot, user: str) -> Mapping[Kind, Program]:
    """The servers that there is one of on a machine."""
    return {"postgres": postgres.Program(postgres.Place(home.root / "data" / "postgres", lot.gateway, lot.subnet, user))}


def _wanted(home: Home) -> Path:
    """Has a file for each server that was asked for once, named like it."""
    return home.agent / "data"


class Data:
    """Runs data servers. What was asked for once runs until the home is cleaned up."""

    def __init__(self, home: Home, lot: Lot, user: str) -> None:
        self._lot, self._wanted = lot, _wanted(home)
        self._shared = _shared(home, lot, user)
        self._alone: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._starts = asyncio.Semaphore(_STARTS_MAX)
        self._open: set[str] = set()  # to dynos, since this agent began
        self._said: dict[str, str] = {}

    async def run(self, kind: Kind) -> DataServer:
        """See DataServers.run_data."""
        return await self._run(kind, self._shared[kind])

    async def look_after(self) -> None:
        """Starts again what has ended, for ever. What it cannot do is said once, not each time."""
        while True:
            async with asyncio.TaskGroup() as tasks:
                for name, program in self._programs().items():
                    tasks.create_task(self._look_after(name, program))
            await asyncio.sleep(_ROUND_S)

    def _programs(self) -> dict[str, Program]:
        return {kind: program for kind, program in self._shared.items() if (self._wanted / kind).exists()}

    async def _run(self, name: str, program: Program) -> DataServer:
        async with self._alone[name]:
            server = await asyncio.to_thread(program.run)
            if name not in self._open:
                await asyncio.to_thread(network.open_service, self._lot, program.port)
                self._wanted.mkdir(mode=0o700, exist_ok=True)
                (self._wanted / name).touch()
                self._open.add(name)
        return server

    async def _look_after(self, name: str, program: Program) -> None:
        """Nothing of a data server's may end the agent, nor keep another from being started."""
        problem = ""
        async with self._starts:
            try:
                if name not in self._open or not program.is_running():
                    await self._run(name, program)
            except PlatformError as error:
                problem = error.message
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
        if problem and problem != self._said.get(name):
            print(f"senryu-agent: {name}: {problem}", file=sys.stderr, flush=True)
        self._said[name] = problem


def stop_all(home: Home, lot: Lot, user: str) -> None:
    """Ends the servers. Their data stays. Blocks."""
    for kind, program in _shared(home, lot, user).items():
        if (_wanted(home) / kind).exists():
            program.stop()
