"""What stands where the agent's dynos and data servers are: it checks as they do, and notes what would have been done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from senryu.agent import history, protocol, stores
from senryu.agent import order as orders
from senryu.agent.dyno import Dyno
from senryu.core.data_server import DataServer
from senryu.core.dyno import DynoOrder, ObservedDyno
from senryu.core.errors import NotFound
from senryu.core.key_value_store import StoreOrder, StoreServer


class Recorder:
    """Stands where the dynos are; notes what would have been done."""

    def __init__(self) -> None:
        self.did: list[object] = []

    async def start(self, order: DynoOrder) -> None:
        orders.check(order)
        self.did.append(order)

    async def signal(self, dyno_id: UUID, name: str) -> None:
        self.did.append((dyno_id, name))

    async def remove(self, dyno_id: UUID) -> None:
        self.did.append(dyno_id)

    def observed(self) -> list[ObservedDyno]:
        return []

    def get(self, dyno_id: UUID) -> Dyno:
        raise NotFound(f"There is no dyno {dyno_id}.")

    async def watch(self) -> AsyncIterator[ObservedDyno]:
        for dyno in self.observed():
            yield dyno


class DataRecorder:
    """Stands where the data servers are: itself the standby and the history, too."""

    def __init__(self, did: list[object], folder: Path) -> None:
        self._did, self._folder = did, folder
        self.standby = self.history = self.postgres = self
        self.port = 5432

    async def run(self, kind: str) -> DataServer:
        self._did.append(kind)
        return DataServer("", self.port, "")

    async def end_standby(self) -> None:
        self._did.append("the end of the standby")

    def sockets(self, _request: protocol.RunArchiveProgram) -> Path:
        return self._folder

    async def keep(self, days: int) -> None:
        history.check_days(days)
        self._did.append(days)

    async def rewind(self, id: UUID, at: datetime, database: str) -> str:
        history.check_database(database)
        self._did.append((id, at, database))
        return ""

    async def forget(self, id: UUID) -> None:
        self._did.append(id)

    async def run_store(self, order: StoreOrder) -> StoreServer:
        stores.check(order)
        self._did.append(order)
        return StoreServer("", 1, "", "7", "")

    async def remove_store(self, id: UUID) -> None:
        self._did.append(id)

    def has_objects(self) -> bool:
        return True

    async def with_objects(self, act: Any, *arguments: object) -> list[object]:
        if arguments:
            self._did.append((act, arguments))
        return []


class Measured(DataRecorder):
    """A standby is measured by a call that blocks, a history by one that does not."""

    def __init__(self, did: list[object], folder: Path) -> None:
        super().__init__(did, folder)
        self.history = History(did, folder)

    def used_bytes(self) -> int:
        return 0


class History(DataRecorder):
    async def used_bytes(self) -> int:
        return 0
