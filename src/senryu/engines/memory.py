"""An engine without a machine: dynos are coroutines. For tests of everything above the engine.

A dyno's command is looked up among `programs`; one that is not there listens on its port, if it has one, and runs until it is told to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from senryu.core.dyno import DynoKind, DynoOrder, Engine, ObservedDyno, Output, OutputReader, Terminal
from senryu.core.errors import Invalid, NotFound

Program = Callable[["Running"], Awaitable[int]]

_STATUS = {"TERM": 143, "HUP": 129, "KILL": 137}
_INPUT_MAX_CHUNKS = 1024


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False, slots=True)
class Running:
    """What a program sees of its dyno, and what tests may do to it.

    `signals` holds what it was told, oldest first; `is_stubborn` makes it live on after TERM and HUP; `input` is its stdin, b"" at the end.
    """

    order: DynoOrder
    changed: Callable[[Running], None]
    env: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (80, 24)
    signals: list[str] = field(default_factory=list)
    is_stubborn: bool = False
    has_begun: bool = False
    memory_bytes: int = 0
    is_listening: bool = False
    listens_locally: bool = False
    other_port: int = 0
    exit_status: int | None = None
    now: Callable[[], datetime] = _now
    started_at: datetime = field(default_factory=_now)
    ended_at: datetime | None = None
    lines: list[Output] = field(default_factory=list)
    input: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(_INPUT_MAX_CHUNKS))
    output: list[bytes] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    readers: set[asyncio.Event] = field(default_factory=set)

    def listen_elsewhere(self, port: int) -> None:
        """Binds another port than it was told."""
        self.other_port = port
        self.changed(self)

    def listen(self, *, locally: bool = False) -> None:
        """Binds the port."""
        self.is_listening, self.listens_locally = not locally, locally
        self.changed(self)

    def write(self, text: bytes, stream: str = "stdout") -> None:
        """Writes whole lines, as a program that ends each with a newline."""
        self.output.append(text + b"\n")
        for line in text.split(b"\n"):
            self.lines.append(Output(self.order.id, len(self.lines) + 1, _now(), stream, line))
        self._tell()

    def end(self, status: int) -> None:
        """Ends the dyno now."""
        if self.exit_status is None:
            self.exit_status, self.ended_at = status, self.now()
            self.is_listening = self.listens_locally = False
            self.ended.set()
            self._tell()
            self.changed(self)

    def tell(self, signal: str) -> None:
        """Sends it a signal."""
        self.signals.append(signal)
        if signal == "KILL" or not self.is_stubborn:
            self.end(_STATUS[signal])

    def observed(self) -> ObservedDyno:
        """As the Engine contract says it."""
        order = self.order
        return ObservedDyno(
            id=order.id,
            app_id=order.app_id,
            name=order.name,
            kind=order.kind,
            is_running=self.exit_status is None,
            address=f"192.0.2.1:{order.port}" if order.port else None,
            is_listening=self.is_listening,
            listens_locally=self.listens_locally,
            other_port=self.other_port,
            exit_status=self.exit_status,
            memory_bytes=self.memory_bytes if self.exit_status is None else 0,
            started_at=self.started_at,
            ended_at=self.ended_at,
        )

    def _tell(self) -> None:
        for reader in self.readers:
            reader.set()

    async def news(self) -> AsyncIterator[None]:
        """Once now, then after each write, last after the end."""
        reader = asyncio.Event()
        self.readers.add(reader)
        try:
            while not self.ended.is_set():
                yield
                await reader.wait()
                reader.clear()
            yield
        finally:
            self.readers.discard(reader)


async def serve(dyno: Running) -> int:
    """The program of a command nobody scripted: listens if it may, and waits to be told to end."""
    if dyno.order.port and dyno.order.kind is DynoKind.FORMATION:
        dyno.listen()
    await dyno.ended.wait()
    return dyno.exit_status or 0


class MemoryEngine:
    """Runs `programs` by command. `running` holds every dyno by id, for tests to look at and to disturb. Use as `async with`."""

    def __init__(
        self, programs: Mapping[str, Program] | None = None, stacks: Iterable[str] = ("host",), now: Callable[[], datetime] = _now
    ) -> None:
        self.programs: dict[str, Program] = dict(programs or {})
        self.running: dict[UUID, Running] = {}
        self.slugs: set[str] | None = None
        self.stacks = set(stacks)
        self._now = now
        self._watchers: set[asyncio.Queue[ObservedDyno]] = set()
        self._tasks = asyncio.TaskGroup()
        self._programs_running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._programs_running:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def start(self, order: DynoOrder) -> None:
        """See Engine."""
        if order.id in self.running:
            return
        if order.stack not in self.stacks:
            raise Invalid(f"There is no stack `{order.stack}` on this machine; import it with senryud stacks:import.")
        if order.slug is not None and self.slugs is not None and order.slug not in self.slugs:
            raise Invalid(f"The slug {order.slug[:12]} is missing on this machine; build the app again.")
        size = (order.columns, order.lines)
        dyno = Running(order, self._changed, order.env, size, now=self._now, started_at=self._now())
        self.running[order.id] = dyno
        self._changed(dyno)
        if not order.stdin:
            self._run(dyno)

    async def signal(self, dyno_id: UUID, signal: str) -> None:
        """See Engine."""
        dyno = self.running.get(dyno_id)
        if dyno is not None and dyno.exit_status is None:
            dyno.tell(signal)

    async def remove(self, dyno_id: UUID) -> None:
        """See Engine."""
        dyno = self.running.pop(dyno_id, None)
        if dyno is not None:
            dyno.end(_STATUS["KILL"])

    async def dynos(self) -> list[ObservedDyno]:
        """See Engine."""
        return [dyno.observed() for dyno in self.running.values()]

    async def changes(self) -> AsyncIterator[ObservedDyno]:
        """See Engine."""
        queue: asyncio.Queue[ObservedDyno] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    async def attach(self, dyno_id: UUID) -> Terminal:
        """See Engine."""
        dyno = self.running.get(dyno_id)
        if dyno is None or not dyno.order.stdin:
            raise NotFound("Nothing can be attached to this dyno.")
        if not dyno.has_begun:
            self._run(dyno)
        return MemoryTerminal(dyno)

    async def run_inside(self, dyno_id: UUID, command: str, env: Mapping[str, str], *, tty: bool, columns: int, lines: int) -> Terminal:
        """See Engine."""
        dyno = self.running.get(dyno_id)
        if dyno is None or dyno.exit_status is not None:
            raise NotFound("This dyno does not run.")
        inside = Running(dyno.order, lambda _: None, dict(env), (columns, lines))
        self._run(inside, command)
        return MemoryTerminal(inside)

    async def import_stack(self, name: str, source: str) -> None:
        """See Engine. Any absolute path or image reference will do; an empty source cannot be taken."""
        if not source or name == "host":
            raise Invalid(f"`{source}` cannot be imported as the stack `{name}`.")
        self.stacks.add(name)

    async def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        """See OutputReader."""
        dyno = self.running.get(dyno_id)
        if dyno is None:
            return
        async for _ in dyno.news():
            if batch := [line for line in dyno.lines if line.position > after]:
                after = batch[-1].position
                yield batch

    def _run(self, dyno: Running, command: str | None = None) -> None:
        dyno.has_begun = True
        program = self.programs.get(dyno.order.command if command is None else command, serve)

        async def run() -> None:
            dyno.end(await program(dyno))

        task = self._tasks.create_task(run(), name=f"dyno:{dyno.order.app_name}:{dyno.order.name}")
        self._programs_running.add(task)
        task.add_done_callback(self._programs_running.discard)

    def _changed(self, dyno: Running) -> None:
        for queue in self._watchers:
            queue.put_nowait(dyno.observed())


class MemoryTerminal:
    """The stdio of a scripted program."""

    def __init__(self, dyno: Running) -> None:
        self._dyno = dyno
        self._read = 0

    async def read(self) -> bytes:
        """See Terminal."""
        async for _ in self._dyno.news():
            if self._read < len(self._dyno.output):
                chunk = b"".join(self._dyno.output[self._read :])
                self._read = len(self._dyno.output)
                return chunk
        return b""

    async def write(self, chunk: bytes) -> None:
        """See Terminal."""
        if chunk and self._dyno.exit_status is None:
            await self._dyno.input.put(chunk)

    async def write_eof(self) -> None:
        """See Terminal."""
        if self._dyno.exit_status is None:
            await self._dyno.input.put(b"")

    async def resize(self, columns: int, lines: int) -> None:
        """See Terminal."""
        if self._dyno.order.tty:
            self._dyno.size = (columns, lines)

    async def exit_status(self) -> int:
        """See Terminal."""
        await self._dyno.ended.wait()
        return self._dyno.exit_status or 0

    async def close(self) -> None:
        """See Terminal."""
        return


_: type[Engine] = MemoryEngine
_reader: type[OutputReader] = MemoryEngine
_terminal: type[Terminal] = MemoryTerminal
