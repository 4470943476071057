"""The data servers of a home: which there are is kept on disk; each that should run is looked after.

Some kinds have one server for all add-ons, started by `run`; key-value stores have one for each add-on. To the agent all are programs.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from senryu.core.data_server import DataServer, Kind
from senryu.core.errors import PlatformError, Unavailable
from senryu.core.key_value_store import StoreOrder, StoreServer
from senryu.core.reach import FOLLOWER_PORT

from . import network, objects, postgres, standby, stores
from .front import Front
from .history import History
from .home import Home
from .lot import Lot
from .protocol import RunArchiveProgram

_ROUND_S = 2.0
_STARTS_MAX = 2  # at once, after a reboot


Serving = TypeVar("Serving", covariant=True)
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


class Program(Protocol[Serving]):
    """One data server. Each call blocks."""

    def run(self) -> Serving:
        """Sees to it that it runs and answers. Raises: Unavailable with what the owner of the machine has to do."""

    def is_running(self) -> bool:
        """Whether its process is there."""

    def stop(self) -> None:
        """Ends it if it runs. Its data stays."""


def _objects(home: Home, lot: Lot, user: str, front: Front | None) -> objects.Program | None:
    """None for an agent that was not told where the router is: object storage is reached by that alone."""
    return objects.Program(objects.Place(_objects_root(home), user, lot.gateway, front)) if front else None


def _objects_root(home: Home) -> Path:
    return home.root / "data" / "objects"


def _postgres(home: Home, lot: Lot, user: str) -> postgres.Place:
    return postgres.Place(home.root / "data" / "postgres", lot.gateway, lot.subnet, user)


def _standby(home: Home, lot: Lot, user: str) -> standby.Program:
    leader = _postgres(home, lot, user)
    root = home.root / "data" / "postgres-standby"
    place = postgres.Place(root, lot.gateway, lot.subnet, user, port=FOLLOWER_PORT, leader=leader)
    return standby.Program(place, leader, home.agent / "standby-copy")


def _wanted(home: Home) -> Path:
    """Has a file for each server that was asked for once, named like it."""
    return home.agent / "data"


class Data:
    """Runs data servers. What was asked for once runs until the home is cleaned up."""

    def __init__(self, home: Home, lot: Lot, user: str, front: Front | None = None) -> None:
        self._lot, self._front, self._wanted = lot, front, _wanted(home)
        self.postgres = _postgres(home, lot, user)
        self.history = History(self.postgres)
        self.standby = _standby(home, lot, user)
        self._shared: dict[Kind, Program[DataServer]] = {"postgres": postgres.Program(self.postgres), "postgres-standby": self.standby}
        self._objects = _objects(home, lot, user, front)
        if self._objects is not None:
            self._shared["objects"] = self._objects
        self._stores = stores.Stores(home, lot)
        self._alone: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._starts = asyncio.Semaphore(_STARTS_MAX)
        self._open: set[str] = set()  # to dynos, since this agent began
        self._said: dict[str, str] = {}

    async def run(self, kind: Kind) -> DataServer:
        """See DataServers.run_data."""
        if kind == "postgres-standby":
            await self.run("postgres")
        async with self._alone[kind]:
            return await self._run(kind)

    async def _run(self, kind: Kind) -> DataServer:
        program = self._shared.get(kind)
        if program is None:
            raise Unavailable("The agent does not know where the router is; run ./quickstart again.")
        server = await asyncio.to_thread(program.run)
        if kind not in self._open:
            if kind == "objects" and self._front is not None:
                await asyncio.to_thread(network.lead_to_router, self._lot, self._front)
            self._wanted.mkdir(mode=0o700, exist_ok=True)
            (self._wanted / kind).touch()
            self._open.add(kind)
        return server

    async def _go_on(self, kind: Kind) -> None:
        """Runs one unless it was ended meanwhile."""
        if kind == "postgres-standby":
            await self.run("postgres")
        async with self._alone[kind]:
            if (self._wanted / kind).exists():
                await self._run(kind)

    async def end_standby(self) -> None:
        """See DataServers."""
        if not self.standby.is_there():
            return
        await self.run("postgres")
        async with self._alone["postgres-standby"]:
            (self._wanted / "postgres-standby").unlink(missing_ok=True)
            self._open.discard("postgres-standby")
            await asyncio.to_thread(self.standby.remove)

    def has_objects(self) -> bool:
        """Whether there ever was a bucket."""
        return self._objects is not None and (self._wanted / "objects").exists()

    async def with_objects(
        self, act: Callable[Concatenate[objects.Program, _Arguments], _Answer], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Answer:
        """Does something to buckets, one thing at a time: the server's administration changes its list of keys as a whole."""
        await self.run("objects")
        assert self._objects is not None
        async with self._alone["objects"]:
            return await asyncio.to_thread(act, self._objects, *args, **kwargs)

    async def run_store(self, order: StoreOrder) -> StoreServer:
        """See StoreServers."""
        async with self._alone[name := stores.name_of(order.id)]:
            self._stores.keep(order)
            server = await asyncio.to_thread(self._stores.program(name).run)
            self._open.add(name)
        return server

    async def remove_store(self, id: UUID) -> None:
        """See StoreServers."""
        async with self._alone[name := stores.name_of(id)]:
            if self._stores.is_kept(name):
                await asyncio.to_thread(self._stores.program(name).remove)
                self._stores.forget(name)
                self._open.discard(name)

    def sockets(self, request: RunArchiveProgram) -> Path:
        """Where the server of a program's database is reached."""
        rewound = request.database.rewound if request.database else None
        return self.history.sockets(rewound) if rewound else self.postgres.sockets

    async def look_after(self) -> None:
        """Starts again what has ended, for ever. What it cannot do is said once, not each time."""
        await asyncio.to_thread(self.history.forget_all)
        while True:
            async with asyncio.TaskGroup() as tasks:
                for kind, program in self._shared.items():
                    if (self._wanted / kind).exists():
                        tasks.create_task(self._look_after(kind, program.is_running, partial(self._go_on, kind)))
                for name in self._stores.names():
                    tasks.create_task(self._look_after(name, partial(self._stores.is_running, name), partial(self._run_again, name)))
            await asyncio.to_thread(self._stores.guard)
            await asyncio.sleep(_ROUND_S)

    async def _run_again(self, name: str) -> None:
        async with self._alone[name]:
            if self._stores.is_kept(name):  # it may have gone meanwhile
                await asyncio.to_thread(self._stores.program(name).run)
                self._open.add(name)

    async def _look_after(self, name: str, is_running: Callable[[], bool], run: Callable[[], Awaitable[object]]) -> None:
        """Nothing of a data server's may end the agent, nor keep another from being started."""
        problem = ""
        async with self._starts:
            try:
                if name not in self._open or not is_running():
                    await run()
            except PlatformError as error:
                problem = error.message
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
        if problem and problem != self._said.get(name):
            print(f"senryu-agent: {name}: {problem}", file=sys.stderr, flush=True)
        self._said[name] = problem


def stop_all(home: Home, lot: Lot, user: str) -> None:
    """Ends the servers. Their data stays. Blocks."""
    history = History(_postgres(home, lot, user))
    history.forget_all()
    if (_wanted(home) / "postgres-standby").exists():
        _standby(home, lot, user).stop()
    if (_wanted(home) / "postgres").exists():
        postgres.Program(_postgres(home, lot, user)).stop()
        history.end_programs()
    objects.stop(_objects_root(home))
    kept = stores.Stores(home, lot)
    for name in kept.names():
        kept.program(name).stop()
