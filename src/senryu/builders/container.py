"""The Builder contract: one build, one container, through whatever engine runs dynos.

The flow inside is flow/build.sh; what it may use is in core/limits.py; what it says is read by outcome.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from uuid import UUID

from senryu.core import limits
from senryu.core.build import Builder, BuildFailed, BuildOrder, Built
from senryu.core.dyno import DynoKind, DynoOrder, Engine, Mount, Output, OutputReader
from senryu.core.errors import NotFound, PlatformError, Unavailable
from senryu.core.log_line import cleaned
from senryu.core.slug import BlobStore

from . import outcome, plan, work

Say = Callable[[bytes], Awaitable[None]]
_DISCOVER = b"\x01discover"  # flow/build.sh: everything but the slug is there
_NO_SPACE = b"No space left on device"
_LOOK_AT_DISK_S = 3.0
_LOOK_AT_SPACE_S = 0.25
_ASK_AGAIN_S = 0.5
_LOOK_AT_END_S = 0.02


@dataclass
class _Run:
    """What is learnt while a build runs."""

    order: BuildOrder
    work: work.Work
    names: Sequence[str]
    said_bytes: int = 0
    has_filled_disk: bool = False
    has_overgrown: bool = False
    is_crowded: bool = False
    timing: dict[str, float] = field(default_factory=dict)
    lap_began: float = field(default_factory=monotonic)

    def lap(self, name: str) -> None:
        """Notes how long it took since the last call, under a name."""
        now = monotonic()
        self.timing[name], self.lap_began = now - self.lap_began, now


class ContainerBuilder:
    """Builds in containers of kind BUILD.

    Takes: `home`, SENRYU_HOME, below which builds and caches are kept; `buildpacks_dir`, the built-in buildpacks; `tools_dir`, below
    `home`, whose `bin` comes first on a build's PATH (uv). What an earlier senryud left of its builds is removed.
    """

    def __init__(
        self, engine: Engine, output: OutputReader, blobs: BlobStore, *, home: Path, buildpacks_dir: Path, tools_dir: Path | None
    ) -> None:
        self._engine = engine
        self._output = output
        self._blobs = blobs
        self._home = home
        self._flow = work.prepare(home)
        self._shared = [Mount(str(self._flow), "/flow"), Mount(str(buildpacks_dir), "/buildpacks")]
        if tools_dir is not None:
            self._shared.append(Mount(str(tools_dir), "/opt/senryu/tools"))
        self._running: set[UUID] = set()
        self._clearing = asyncio.Lock()
        self._may_be_left = asyncio.Event()
        self._may_be_left.set()

    async def build(self, order: BuildOrder, output: Say) -> Built:
        """See Builder."""
        await self._clear()  # may not have got through at the start
        run = _Run(order, work.Work(self._home, order.id, order.app_id), plan.names(order.buildpacks))
        async with self._laid_out(run):
            await self._run(run, output)
            return await self._collect(run, output)

    async def purge_cache(self, app_id: UUID) -> None:
        """See Builder."""
        await asyncio.to_thread(work.remove_tree, work.cache_of(self._home, app_id))

    async def clear_away(self) -> None:
        """Removes containers of builds that an earlier senryud, or an engine that was away, did not see to their end. For ever."""
        while True:
            await self._may_be_left.wait()
            try:
                await self._clear()
            except PlatformError:
                await asyncio.sleep(_ASK_AGAIN_S)

    async def _clear(self) -> None:
        async with self._clearing:
            if not self._may_be_left.is_set():
                return
            self._may_be_left.clear()
            try:
                await self._remove_unknown()
            except BaseException:
                self._may_be_left.set()
                raise

    async def _remove_unknown(self) -> None:
        for dyno in await self._engine.dynos():
            if dyno.kind is DynoKind.BUILD and dyno.id not in self._running:
                await self._engine.remove(dyno.id)

    @asynccontextmanager
    async def _laid_out(self, run: _Run) -> AsyncIterator[None]:
        """The build's directories and source; nothing of them, nor of its container, is left afterwards."""
        self._running.add(run.order.id)
        try:
            try:
                await asyncio.to_thread(run.work.make, plan.plan(run.order.buildpacks), plan.env_files(run.order.env))
                await self._fetch_source(run)
            except OSError as error:
                raise Unavailable(
                    f"The build could not be prepared ({error.strerror}); the platform's operator must free disk space."
                ) from error
            yield
        finally:
            try:
                await asyncio.shield(self._engine.remove(run.order.id))
            except PlatformError:
                self._may_be_left.set()
            finally:
                self._running.discard(run.order.id)
                await asyncio.shield(asyncio.to_thread(run.work.remove))

    async def _fetch_source(self, run: _Run) -> None:
        with await asyncio.to_thread(open, run.work.inside / "source", "wb") as file:
            try:
                async for chunk in self._blobs.get(run.order.source.key):
                    await asyncio.to_thread(file.write, chunk)
            except NotFound:
                raise BuildFailed("The source of this build was never uploaded, or has been deleted; push again.") from None

    async def _run(self, run: _Run, output: Say) -> None:
        """Runs the container to its end. Raises: BuildFailed; what buildpacks keep is dropped when they were cut off."""
        is_whole = False
        try:
            async with asyncio.timeout(limits.BUILD_TIMEOUT_S):
                await self._engine.start(self._dyno(run))
                run.lap("build_start_s")
                await self._follow(run, output)
                status, is_out_of_memory = await self._ending(run)
            is_whole = status == 0 or not (is_out_of_memory or run.has_filled_disk or run.has_overgrown or run.is_crowded)
        except TimeoutError:
            minutes = limits.BUILD_TIMEOUT_S / 60
            raise BuildFailed(
                f"The build took longer than {minutes:.0f} minutes and was ended; make it do less, then push again."
            ) from None
        finally:
            if not is_whole:
                await asyncio.shield(self._drop_cache(run))
        if status != 0 and work.is_disk_full(run.work.out):
            raise Unavailable("The platform's disk filled up during the build; its operator must free disk space, then push again.")
        if status != 0 and run.is_crowded:
            raise BuildFailed("The platform's disk is nearly full, so the build was ended; its operator must free disk space.")
        if status != 0:
            is_out_of_disk = run.has_filled_disk or run.has_overgrown
            raise outcome.failure(run.work.out, status=status, is_out_of_memory=is_out_of_memory, is_out_of_disk=is_out_of_disk)

    async def _drop_cache(self, run: _Run) -> None:
        with contextlib.suppress(PlatformError):
            await self._engine.remove(run.order.id)
        await asyncio.to_thread(work.remove_tree, run.work.cache)

    def _dyno(self, run: _Run) -> DynoOrder:
        order = run.order
        return DynoOrder(
            id=order.id,
            app_id=order.app_id,
            app_name=order.app_name,
            name=f"build.{order.id.hex[:8]}",
            kind=DynoKind.BUILD,
            command="exec /bin/bash /flow/build.sh",
            env=plan.environment(order),
            slug=None,
            stack=order.stack,
            # The engine lets a dyno use more than its size before it ends it; a build gets exactly its limit.
            memory_bytes=int(limits.BUILD_MEMORY_BYTES / limits.MEMORY_KILL_RATIO),
            cpu_shares=limits.BUILD_CPU_SHARES,
            pids=limits.BUILD_PIDS,
            disk_bytes=limits.BUILD_DISK_BYTES,
            reaches=order.reaches,
            buckets=order.buckets,
            mounts=(
                *self._shared,
                Mount(str(run.work.inside), "/build"),
                Mount(str(run.work.out), "/out", writable=True),
                Mount(str(run.work.cache), "/cache", writable=True),
            ),
        )

    async def _follow(self, run: _Run, output: Say) -> None:
        """Hands on what the build says, until it has ended."""
        watch = asyncio.create_task(self._watch_disk(run), name=f"build-disk:{run.order.id}")
        try:
            async for lines in self._output.output(run.order.id, -1):
                pending = ""
                for line in lines:
                    if line.text == _DISCOVER:
                        run.lap("compile_s")
                        pending += outcome.discovery(outcome.read(run.work.out, run.names))
                    else:
                        pending += self._shown(run, line)
                if pending:
                    await output(pending.encode())
        finally:
            watch.cancel()

    def _shown(self, run: _Run, line: Output) -> str:
        run.has_filled_disk = run.has_filled_disk or _NO_SPACE in line.text
        text = cleaned(line.text) + "\n"
        before, run.said_bytes = run.said_bytes, run.said_bytes + len(text)
        if run.said_bytes <= limits.BUILD_OUTPUT_MAX_BYTES:
            return text
        if before <= limits.BUILD_OUTPUT_MAX_BYTES:
            return f" !     The build printed more than {limits.BUILD_OUTPUT_MAX_BYTES // limits.MIB} MB; the rest is left out.\n"
        return ""

    async def _watch_disk(self, run: _Run) -> None:
        """/out and /cache are on the platform's own disk, which no quota guards: see decisions/0041."""
        looked_at = monotonic()
        while True:
            await asyncio.sleep(min(_LOOK_AT_SPACE_S, _LOOK_AT_DISK_S))
            run.is_crowded = await asyncio.to_thread(work.is_crowded, self._home)
            if monotonic() - looked_at >= _LOOK_AT_DISK_S:
                run.has_overgrown = await asyncio.to_thread(work.used_bytes, run.work.out, run.work.cache) > limits.BUILD_DISK_BYTES
                looked_at = monotonic()
            if run.is_crowded or run.has_overgrown:
                await self._engine.signal(run.order.id, "KILL")
                return

    async def _ending(self, run: _Run) -> tuple[int | None, bool]:
        """Its output may be at its end a moment before the engine has noticed."""
        deadline = monotonic() + limits.AGENT_TIMEOUT_S
        while known := [dyno for dyno in await self._engine.dynos() if dyno.id == run.order.id]:
            [dyno] = known
            if not dyno.is_running:
                return dyno.exit_status, dyno.is_out_of_memory
            if monotonic() > deadline:
                break
            await asyncio.sleep(_LOOK_AT_END_S)
        raise Unavailable("The build's container was lost; push again.")

    async def _collect(self, run: _Run, output: Say) -> Built:
        run.lap("pack_s")
        found = await asyncio.to_thread(outcome.read, run.work.out, run.names)
        slug = run.work.out / "slug.tgz"
        try:
            size = (await asyncio.to_thread(slug.lstat)).st_size
        except OSError:
            raise BuildFailed("The build ended without a slug; push again.") from None
        if size > limits.SLUG_MAX_BYTES:
            raise BuildFailed(
                f"The slug is {outcome.readable(size)}; at most {limits.SLUG_MAX_BYTES // limits.MIB} MB are allowed."
                " List what the app can do without in .slugignore, or keep large files elsewhere."
            )
        _key, checksum, size = await self._blobs.adopt(str(slug), prefix="slugs", suffix=".tgz", max_bytes=limits.SLUG_MAX_BYTES)
        await output(f"       Done: {outcome.readable(size)}\n".encode())
        if await asyncio.to_thread(work.used_bytes, run.work.cache) > limits.BUILD_CACHE_MAX_BYTES:
            await self._drop_cache(run)
            await output(f"       The build cache grew over {limits.BUILD_CACHE_MAX_BYTES // limits.GIB} GB and was emptied.\n".encode())
        reason = await asyncio.to_thread(outcome.database_wanted_by, run.work.out, found.addons)
        run.lap("store_s")
        return Built(
            checksum, size, found.process_types, found.buildpacks, found.title, found.config_vars, found.addons, run.timing, reason
        )


_: type[Builder] = ContainerBuilder
