"""The Engine contract, carried out by asking the agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from senryu.agent import protocol
from senryu.core.data_server import DataServer, DataServers, Kind
from senryu.core.dyno import DynoOrder, Engine, ObservedDyno, Output, OutputReader, Terminal
from senryu.core.errors import Unavailable
from senryu.core.key_value_store import StoreOrder, StoreServer, StoreServers
from senryu.core.limits import AGENT_TIMEOUT_S
from senryu.core.object_store import BucketOrder, BucketUse, ObjectServer

from . import client
from .output import read_output
from .terminal import AttachedTerminal, CommandTerminal
from .watch import DirectoryWatch

_RECONNECT_S = 0.5
_IMPORT_TIMEOUT_S = 1200.0
_START_TIMEOUT_S = 180.0  # unpacking a slug for the first time is part of it


class ContainerEngine:
    """Dynos on this machine. `home` is SENRYU_HOME; use as `async with`. Also reads their output."""

    def __init__(self, home: Path) -> None:
        self._socket = home / "run" / "agent.sock"
        self._logs = home / "agent" / "logs"
        self._watch: DirectoryWatch | None = None

    async def __aenter__(self) -> Self:
        self._watch = await DirectoryWatch().__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._watch is not None:
            await self._watch.__aexit__(None, None, None)
            self._watch = None

    async def start(self, order: DynoOrder) -> None:
        """See Engine."""
        await client.ask(self._socket, protocol.Start(order), _START_TIMEOUT_S)

    async def signal(self, dyno_id: UUID, signal: str) -> None:
        """See Engine."""
        await client.ask(self._socket, protocol.Signal(dyno_id, signal))  # type: ignore[arg-type]

    async def remove(self, dyno_id: UUID) -> None:
        """See Engine."""
        await client.ask(self._socket, protocol.Remove(dyno_id), AGENT_TIMEOUT_S * 3)

    async def dynos(self) -> list[ObservedDyno]:
        """See Engine."""
        answer = (await client.ask(self._socket, protocol.ListDynos())).answer
        if not isinstance(answer, protocol.Dynos):
            raise client.silent()
        return answer.dynos

    async def changes(self) -> AsyncGenerator[ObservedDyno, None]:
        """See Engine. While the agent is away it is asked again and again."""
        while True:
            try:
                with await client.begin(self._socket, protocol.Watch()) as talk:
                    while isinstance(answer := (await talk.reply(None)).answer, protocol.Changed):
                        yield answer.dyno
            except Unavailable:
                pass
            await asyncio.sleep(_RECONNECT_S)

    async def attach(self, dyno_id: UUID) -> Terminal:
        """See Engine."""
        reply = await client.ask(self._socket, protocol.Attach(dyno_id))
        return AttachedTerminal(reply, self._socket, dyno_id)

    async def run_inside(self, dyno_id: UUID, command: str, env: Mapping[str, str], *, tty: bool, columns: int, lines: int) -> Terminal:
        """See Engine. Closing the terminal hangs up on the command."""
        talk = await client.begin(self._socket, protocol.RunInside(dyno_id, command, dict(env), tty, columns, lines))
        try:
            return CommandTerminal(await talk.reply(), talk)
        except BaseException:
            talk.close()
            raise

    async def import_stack(self, name: str, source: str) -> None:
        """See Engine."""
        await client.ask(self._socket, protocol.ImportStack(name, source), _IMPORT_TIMEOUT_S)

    async def run_data(self, kind: Kind) -> DataServer:
        """See DataServers."""
        answer = (await client.ask(self._socket, protocol.RunData(kind), _START_TIMEOUT_S)).answer
        if not isinstance(answer, protocol.Serves):
            raise client.silent()
        return answer.server

    async def end_standby(self) -> None:
        """See DataServers."""
        await client.ask(self._socket, protocol.EndStandby(), _START_TIMEOUT_S)

    async def standby_bytes(self) -> int:
        """See DataServers."""
        answer = (await client.ask(self._socket, protocol.MeasureStandby(), _START_TIMEOUT_S)).answer
        if not isinstance(answer, protocol.Used):
            raise client.silent()
        return answer.bytes

    async def make_bucket(self, order: BucketOrder) -> None:
        """See ObjectServer."""
        await client.ask(self._socket, protocol.MakeBucket(order), _START_TIMEOUT_S)

    async def limit_bucket(self, bucket: str, quota_bytes: int) -> None:
        """See ObjectServer."""
        await client.ask(self._socket, protocol.LimitBucket(bucket, quota_bytes), _START_TIMEOUT_S)

    async def remove_bucket(self, bucket: str) -> None:
        """See ObjectServer."""
        await client.ask(self._socket, protocol.RemoveBucket(bucket), _START_TIMEOUT_S)

    async def bucket_uses(self) -> list[BucketUse]:
        """See ObjectServer."""
        answer = (await client.ask(self._socket, protocol.ListBuckets(), _START_TIMEOUT_S)).answer
        if not isinstance(answer, protocol.Buckets):
            raise client.silent()
        return answer.uses

    async def run_store(self, order: StoreOrder) -> StoreServer:
        """See StoreServers."""
        answer = (await client.ask(self._socket, protocol.RunStore(order), _START_TIMEOUT_S)).answer
        if not isinstance(answer, protocol.ServesStore):
            raise client.silent()
        return answer.server

    async def remove_store(self, id: UUID) -> None:
        """See StoreServers."""
        await client.ask(self._socket, protocol.RemoveStore(id), _START_TIMEOUT_S)

    def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        """See OutputReader."""
        if self._watch is None:
            raise RuntimeError("ContainerEngine is used as `async with`")
        return read_output(self._socket, self._logs / str(dyno_id), dyno_id, after, self._watch)


_: type[Engine] = ContainerEngine
_data: type[DataServers] = ContainerEngine
_stores: type[StoreServers] = ContainerEngine
_objects: type[ObjectServer] = ContainerEngine
_reader: type[OutputReader] = ContainerEngine
