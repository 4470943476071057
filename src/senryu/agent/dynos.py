"""All dynos of this home: started, watched, signalled, removed, and found again after the agent's own restart."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from asyncinotify import Inotify, Mask

from senryu.core.dyno import DynoOrder, ObservedDyno
from senryu.core.errors import NotFound, PlatformError, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import launch, network, record
from . import order as orders
from .dyno import Dyno, trace_removed
from .launch import Site
from .lot import DYNOS_MAX
from .slugs import Slugs

_THREADS = 8
_EVENTS_MAX = 4096

T = TypeVar("T")


class Dynos:
    """Use as `async with`: entering finds the dynos that run, leaving lets them run on."""

    def __init__(self, site: Site, slugs: Slugs) -> None:
        self._site = site
        self._slugs = slugs
        self._dynos: dict[UUID, Dyno] = {}
        self._busy: dict[UUID, tuple[asyncio.Lock, int]] = {}
        self._indices: set[int] = set()
        self._next_index = 2
        self._watchers: set[asyncio.Queue[ObservedDyno]] = set()
        self._inotify = Inotify()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dyno")
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        await self._find_again()
        self._spawn(self._watch_outputs(), "disks:outputs")
        self._spawn(self._refill(), "disks")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task() and task.get_name().startswith(("dyno:", "disks")):
                task.cancel()
        await self._tasks.__aexit__(None, None, None)
        self._threads.shutdown(wait=True)
        self._inotify.close()
        self._site.disks.close()
        for dyno in self._dynos.values():
            dyno.output.close()

    async def start(self, order: DynoOrder) -> None:
        """Engine.start."""
        orders.check(order)
        async with self._alone(order.id):
            if order.id in self._dynos:
                return
            slug = None if order.slug is None else await self._in_thread(self._slugs.unpacked, order.slug)
            index = self._taken_index()
            try:
                kept = await self._in_thread(launch.launch, order, index, slug, self._site)
            except BaseException:
                self._indices.discard(index)
                raise
            dyno = Dyno(kept, self._site)
            self._follow(dyno)
        self._changed(dyno)
        self._spawn(self._refill(), "disks")

    async def remove(self, dyno_id: UUID) -> None:
        """Engine.remove."""
        async with self._alone(dyno_id):
            dyno = self._dynos.get(dyno_id)
            if dyno is None:
                return
            dyno.kill()
            # Nothing may be made in its directory any more: not by conmon, which may take its time, nor of what that left.
            dyno.output.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGENT_TIMEOUT_S):
                    await dyno.ended.wait()
            async with asyncio.timeout(AGENT_TIMEOUT_S * 2):
                await self._in_thread(trace_removed, dyno_id, dyno.kept, self._site)
            del self._dynos[dyno_id]
            self._indices.discard(dyno.kept.index)

    async def signal(self, dyno_id: UUID, name: str) -> None:
        """Engine.signal."""
        if dyno_id in self._dynos:
            await self._dynos[dyno_id].signal(name)

    def observed(self) -> list[ObservedDyno]:
        """Engine.dynos."""
        return [dyno.observed() for dyno in self._dynos.values()]

    def get(self, dyno_id: UUID) -> Dyno:
        """One dyno. Raises: NotFound."""
        if dyno_id not in self._dynos:
            raise NotFound("There is no such dyno on this machine.")
        return self._dynos[dyno_id]

    async def watch(self) -> AsyncIterator[ObservedDyno]:
        """Every dyno now, then each as it changes. Ends when the reader is too slow to keep up."""
        queue: asyncio.Queue[ObservedDyno] = asyncio.Queue(_EVENTS_MAX + len(self._dynos))
        for dyno in self.observed():
            queue.put_nowait(dyno)
        self._watchers.add(queue)
        try:
            while queue in self._watchers or not queue.empty():
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    def _changed(self, dyno: Dyno) -> None:
        observed = dyno.observed()
        for queue in list(self._watchers):
            if queue.full():
                self._watchers.discard(queue)
            else:
                queue.put_nowait(observed)

    async def _watch_outputs(self) -> None:
        """Has each dyno take hold of its new file when conmon replaces the full one."""
        async for change in self._inotify:
            if not change.mask & Mask.MOVED_TO or change.watch is None:
                continue
            with contextlib.suppress(KeyError):  # it was removed
                dyno = self._dynos[UUID(change.watch.path.name)]
                await self._in_thread(partial(dyno.output.look, was_replaced=True))

    def _watch_output(self, dyno: Dyno) -> None:
        with contextlib.suppress(OSError):
            # MOVED_FROM lies between two MOVED_TO, which the kernel would else tell as one.
            self._inotify.add_watch(self._site.home.output(dyno.kept.id), Mask.MOVED_FROM | Mask.MOVED_TO | Mask.ONLYDIR)
        dyno.output.look()

    def _follow(self, dyno: Dyno) -> None:
        self._watch_output(dyno)
        self._dynos[dyno.kept.id] = dyno
        self._indices.add(dyno.kept.index)
        self._spawn(dyno.follow(self._changed), f"dyno:{dyno.kept.app_name}:{dyno.kept.name}")

    async def _find_again(self) -> None:
        for directory in sorted(self._site.home.records.iterdir()):
            try:
                dyno_id = UUID(directory.name)
            except ValueError:
                continue
            kept = record.read(directory)
            if kept is None:  # the agent was killed while it started this one
                await self._in_thread(trace_removed, dyno_id, None, self._site)
            else:
                await self._in_thread(network.grant, self._site.lot, kept.index, kept.reaches)  # the firewall was made anew
                self._follow(Dyno(kept, self._site))

    async def _refill(self) -> None:
        await self._in_thread(self._site.disks.refill)
        used = {dyno.kept.slug for dyno in self._dynos.values() if dyno.kept.slug is not None}
        await self._in_thread(self._slugs.sweep, used)

    def _taken_index(self) -> int:
        """A free index, the one free for longest, so that an address is not reused while someone may remember it."""
        for step in range(DYNOS_MAX):
            index = 2 + (self._next_index - 2 + step) % DYNOS_MAX
            if index not in self._indices:
                self._next_index = index + 1
                self._indices.add(index)
                return index
        raise Unavailable(f"This machine runs {DYNOS_MAX} dynos already; stop some first.")

    @asynccontextmanager
    async def _alone(self, dyno_id: UUID) -> AsyncIterator[None]:
        lock, users = self._busy.get(dyno_id, (asyncio.Lock(), 0))
        self._busy[dyno_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._busy[dyno_id]
            if users == 1:
                del self._busy[dyno_id]
            else:
                self._busy[dyno_id] = lock, users - 1

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.create_task(_reported(work, name), name=name)


async def _reported(work: Coroutine[Any, Any, None], name: str) -> None:
    """One task's failure is told and must not end the others."""
    try:
        await work
    except PlatformError as error:
        print(f"senryu-agent: {name}: {error.message}", file=sys.stderr, flush=True)
    except Exception as error:
        print(f"senryu-agent: {name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
