"""Builds in real containers, by an unprivileged senryud through the real agent."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from engines.rig import USER, Agent, running_agent
from senryu.agent.command import built_in_buildpacks
from senryu.blobs import DiskBlobStore
from senryu.builders import ContainerBuilder, container, work
from senryu.core import limits
from senryu.core.build import BuildFailed, BuildOrder, Built
from senryu.core.source import Source
from senryu.engines.container import ContainerEngine

from .conftest import ROOT, tar

pytestmark = pytest.mark.system
PROCFILE = {"Procfile": "web: ./run\n", "run": "#!/bin/sh\necho running\n"}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent() as running:
        (running.home / "tools" / "bin").mkdir(parents=True)
        for name in ("blobs", "builds", "cache"):  # the installer's part: the home is root's
            (running.home / name).mkdir(exist_ok=True)
            shutil.chown(running.home / name, USER)
        shutil.copy(ROOT / ".venv" / "bin" / "uv", running.home / "tools" / "bin" / "uv")
        yield running


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """The rights senryud has."""
    account = pwd.getpwnam(USER)
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@dataclass
class Site:
    home: Path
    engine: ContainerEngine
    blobs: DiskBlobStore
    builder: ContainerBuilder
    app_id: UUID = field(default_factory=uuid4)
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said)

    async def build(self, source: Mapping[str, str] | bytes, env: Mapping[str, str] | None = None) -> Built:
        archive = source if isinstance(source, bytes) else tar(source)

        async def once() -> AsyncIterator[bytes]:
            yield archive

        async def hear(chunk: bytes) -> None:
            self.said.append(chunk.decode())

        self.said.clear()
        key = f"sources/{uuid4()}"
        await self.blobs.put(key, once(), max_bytes=limits.SOURCE_MAX_BYTES)
        return await self.builder.build(BuildOrder(uuid4(), self.app_id, "shop", Source(key), (), env or {}, "host"), hear)


@pytest.fixture
async def site(agent: Agent, unprivileged: None) -> AsyncIterator[Site]:
    async with ContainerEngine(agent.home) as engine:
        blobs = DiskBlobStore(agent.home / "blobs")
        builder = ContainerBuilder(
            engine, engine, blobs, home=agent.home, buildpacks_dir=built_in_buildpacks(), tools_dir=agent.home / "tools"
        )
        yield Site(agent.home, engine, blobs, builder)
        assert await engine.dynos() == []
        assert [path.name for path in (agent.home / "builds").iterdir()] == ["flow"]


async def test_an_app_is_built_by_a_user_of_the_containers_own(site: Site) -> None:
    built = await site.build({**PROCFILE, "bin/x": "#!/bin/sh\n"}, {"SECRET": "s"})
    assert built.process_types == {"web": "./run"}
    slug = site.home / "blobs" / "slugs" / f"{built.checksum}.tgz"
    listed = subprocess.run(["tar", "--zstd", "-tvf", slug], capture_output=True, text=True, check=True).stdout
    assert "-rwxr-xr-x 0/0" in listed
    assert "./Procfile" in listed


async def test_a_buildpack_sees_its_app_and_nothing_of_the_platform(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "#!/bin/bash\nid -u; ls /; cat /build/env/SECRET; touch /flow/x /buildpacks/x /build/x\ntrue\n"
    built = await site.build({**buildpack_app(script)}, {"SECRET": "config-value"})
    assert "config-value" in site.text
    assert site.text.count("Read-only file system") == 3
    assert str(site.home) not in site.text
    assert built.process_types == {"web": "x"}


async def test_the_cache_stays_for_the_next_build_and_can_be_purged(site: Site) -> None:
    app = buildpack_app("#!/bin/bash\ncat /cache/note || echo nothing; echo kept >/cache/note\n")
    await site.build(app)
    assert "nothing" in site.text
    await site.build(app)
    assert "kept" in site.text
    await site.builder.purge_cache(site.app_id)
    assert not work.cache_of(site.home, site.app_id).exists()


async def test_a_build_that_eats_memory_fails_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_MEMORY_BYTES", 128 * limits.MIB)
    with pytest.raises(BuildFailed, match="memory"):
        await site.build(buildpack_app("#!/usr/bin/python3\nx = []\nwhile True: x.append(bytearray(10_000_000))\n"))


async def test_a_build_that_forks_without_end_fails_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_PIDS", 64)
    monkeypatch.setattr(limits, "BUILD_TIMEOUT_S", 8.0)
    with pytest.raises(BuildFailed):
        await site.build(buildpack_app("#!/bin/bash\nf() { f | f & f; }; f 2>/dev/null; sleep 1000\n"))


async def test_a_build_that_fills_its_disk_fails_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_DISK_BYTES", 64 * limits.MIB)
    with pytest.raises(BuildFailed, match="disk"):
        await site.build(buildpack_app("#!/bin/bash\nhead -c 200000000 /dev/zero >/app/large || exit 1\n"))


async def test_a_build_that_writes_out_of_its_disk_is_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "_LOOK_AT_DISK_S", 0.1)
    monkeypatch.setattr(limits, "BUILD_DISK_BYTES", 64 * limits.MIB)
    with pytest.raises(BuildFailed, match="disk"):
        await site.build(buildpack_app("#!/bin/bash\nhead -c 100000000 /dev/zero >/cache/large; sleep 1000\n"))
    assert not work.cache_of(site.home, site.app_id).exists()


async def test_a_build_that_takes_too_long_is_ended_with_all_its_programs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_TIMEOUT_S", 2.0)
    with pytest.raises(BuildFailed, match="took longer"):
        await site.build(buildpack_app("#!/bin/bash\nsetsid sleep 7654321 & trap '' TERM; sleep 7654321\n"))
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "7654321" not in running


def buildpack_app(script: str) -> dict[str, str]:
    """A Python app without dependencies whose own pre_compile hook is the hostile part."""
    return {"requirements.txt": "", "Procfile": "web: x\n", "bin/pre_compile": script}
