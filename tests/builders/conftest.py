"""The whole builder with the real flow scripts, real buildpacks and a stand-in engine that runs them without a container."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal as signals
import tarfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from senryu.blobs import MemoryBlobStore
from senryu.builders import ContainerBuilder
from senryu.core.build import BuildOrder, Built
from senryu.core.buildpack import Buildpack
from senryu.core.dyno import DynoOrder, Engine, ObservedDyno, Output, OutputReader, Terminal
from senryu.core.source import Source

ROOT = Path(__file__).resolve().parents[2]
APP = UUID(int=7)


@dataclass
class LocalEngine:
    """Runs a build's command as a plain program on temporary directories. Only what the builder needs of an engine."""

    place: Path
    running: dict[UUID, asyncio.subprocess.Process] = field(default_factory=dict)
    orders: list[DynoOrder] = field(default_factory=list)
    ended: dict[UUID, ObservedDyno] = field(default_factory=dict)
    removed: list[UUID] = field(default_factory=list)
    is_out_of_memory: bool = False

    async def start(self, order: DynoOrder) -> None:
        self.orders.append(order)
        app, temporary = self.place / str(order.id) / "app", self.place / str(order.id) / "tmp"
        for folder in (app, temporary):
            folder.mkdir(parents=True)
        mounted = {mount.target: mount.source for mount in order.mounts}
        environment = {
            **order.env, "HOME": str(app), "TMPDIR": str(temporary), "SENRYU_APP_DIR": str(app), "SENRYU_BUILD_DIR": mounted["/build"],
            "SENRYU_OUT_DIR": mounted["/out"], "SENRYU_CACHE_DIR": mounted["/cache"], "SENRYU_BUILDPACKS_DIR": mounted["/buildpacks"],
        }  # fmt: skip
        self.running[order.id] = await asyncio.create_subprocess_exec(
            "/bin/bash", f"{mounted['/flow']}/build.sh", env=environment, cwd=app, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, start_new_session=True, limit=1 << 20,
        )  # fmt: skip

    async def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        program = self.running[dyno_id]
        assert program.stdout
        position = 0
        async for line in program.stdout:
            yield [Output(dyno_id, position, datetime.now(UTC), "stdout", line.rstrip(b"\n"))]
            position += len(line)
        status = await program.wait()
        order = next(order for order in self.orders if order.id == dyno_id)
        self.ended[dyno_id] = ObservedDyno(
            dyno_id, order.app_id, order.name, order.kind, False, exit_status=128 - status if status < 0 else status,
            is_out_of_memory=self.is_out_of_memory,
        )  # fmt: skip

    async def signal(self, dyno_id: UUID, signal: str) -> None:
        os.killpg(self.running[dyno_id].pid, signals.Signals[f"SIG{signal}"])

    async def remove(self, dyno_id: UUID) -> None:
        self.removed.append(dyno_id)
        program = self.running.pop(dyno_id, None)
        if program:
            try:
                os.killpg(program.pid, signals.SIGKILL)
            except ProcessLookupError:
                pass
            assert program.stdout
            while await program.stdout.read(65536):
                pass
            await program.wait()
        self.ended.pop(dyno_id, None)
        shutil.rmtree(self.place / str(dyno_id), ignore_errors=True)

    async def dynos(self) -> list[ObservedDyno]:
        return list(self.ended.values())

    def changes(self) -> AsyncIterator[ObservedDyno]:
        raise NotImplementedError

    async def attach(self, dyno_id: UUID) -> Terminal:
        raise NotImplementedError

    async def import_stack(self, name: str, source: str) -> None:
        raise NotImplementedError

    async def run_inside(self, dyno_id: UUID, command: str, env: Mapping[str, str], *, tty: bool, columns: int, lines: int) -> Terminal:
        raise NotImplementedError


_engine: type[Engine] = LocalEngine
_reader: type[OutputReader] = LocalEngine


@dataclass
class Bench:
    """A builder and everything around it."""

    home: Path
    buildpacks: Path
    engine: LocalEngine
    blobs: MemoryBlobStore
    builder: ContainerBuilder
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said)

    async def order(self, archive: bytes, *buildpacks: str, env: Mapping[str, str] | None = None) -> BuildOrder:
        key = f"sources/{uuid4()}.tar"
        await self.blobs.put(key, _once(archive), max_bytes=1 << 30)
        packs = tuple(Buildpack(url) for url in buildpacks)
        return BuildOrder(uuid4(), APP, "shop", Source(key, "c0ffee"), packs, env or {}, "host")

    async def build(self, source: Mapping[str, str | bytes] | bytes, *buildpacks: str, env: Mapping[str, str] | None = None) -> Built:
        archive = source if isinstance(source, bytes) else tar(source)
        self.said.clear()
        return await self.builder.build(await self.order(archive, *buildpacks, env=env), self.hear)

    async def hear(self, chunk: bytes) -> None:
        self.said.append(chunk.decode())

    async def slug(self, built: Built) -> dict[str, tarfile.TarInfo]:
        """The members of a slug, by name without the leading `./`."""
        content = b"".join([chunk async for chunk in self.blobs.get(f"slugs/{built.checksum}.tgz")])
        unzip = await asyncio.create_subprocess_exec("zstd", "-dcq", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        plain, _ = await unzip.communicate(content)
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            return {member.name.removeprefix("./"): member for member in archive.getmembers()}

    def add_buildpack(self, name: str, **scripts: str) -> None:
        """A built-in buildpack of this bench, replacing the real one of the name."""
        write_buildpack(self.buildpacks / name, **scripts)


def write_buildpack(folder: Path, **scripts: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    for script, content in {"detect": "echo Test", "compile": ":", "release": "echo '--- {}'", **scripts}.items():
        (folder / "bin" / script).write_text(f"#!/bin/bash\n{content}\n")
        (folder / "bin" / script).chmod(0o755)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def tar(files: Mapping[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            encoded = content if isinstance(content, bytes) else content.encode()
            member.size = len(encoded)
            member.mode = 0o755 if encoded.startswith(b"#!") else 0o644
            archive.addfile(member, io.BytesIO(encoded))
    return made.getvalue()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    buildpacks = tmp_path / "buildpacks"
    shutil.copytree(ROOT / "buildpacks" / "procfile", buildpacks / "procfile")
    engine, blobs = LocalEngine(tmp_path / "dynos"), MemoryBlobStore()
    home = tmp_path / "home"
    builder = ContainerBuilder(engine, engine, blobs, home=home, buildpacks_dir=buildpacks, tools_dir=None)
    return Bench(home, buildpacks, engine, blobs, builder)
