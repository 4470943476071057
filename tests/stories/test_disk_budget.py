"""What five hundred deploys leave on the disk, as slugs, cache and log: as much as docs/operating.md says, and no more.

Slugs are files of a real store, and lines those of a real log. Every fifth build is a real one, whose cache grows without end.
"""

from __future__ import annotations

import io
import itertools
import os
import tarfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.conftest import LocalEngine, write_buildpack
from house import House
from senryu.actions.push import push
from senryu.actions.retain import retain_once
from senryu.api.parts import deploying
from senryu.blobs.disk import DiskBlobStore
from senryu.builders import ContainerBuilder, work
from senryu.core import limits
from senryu.core.app import App
from senryu.core.limits import KIB, MIB, OUTPUTS_KEPT, RELEASES_KEPT
from senryu.core.log_line import LogLine
from senryu.logs.history import BUDGET_BYTES as LOG_BUDGET_BYTES
from senryu.logs.history import SEGMENT_BYTES, FileLogs
from senryu.store.apps import find_app

DEPLOYS = 500
SLUG_BYTES = 64 * KIB
BUDGET_BYTES = 3 * MIB
REALLY_BUILT_EVERY = 5
CACHED_BYTES = 400 * KIB
CACHE_MAX_BYTES = 4 * MIB
LINES, LINE_BYTES = 200, 400
HOUR_S = 3600.0


class OnDisk:
    """A builder whose slugs are as large as their sources, and a real one, with one store."""

    def __init__(self, house: House, place: Path) -> None:
        self._house, self.blobs, self.home = house, DiskBlobStore(place / "blobs"), place / "home"
        self._suspects: set[str] = set()
        house.builder._blobs = self.blobs
        cached = f'test ! -e "$2"/first || echo again; head -c {CACHED_BYTES} /dev/urandom >"$2/$(date +%s%N)"; touch "$2"/first'
        write_buildpack(place / "buildpacks/procfile", compile=cached)
        engine = LocalEngine(place / "dynos")
        self.builder = ContainerBuilder(engine, engine, self.blobs, home=self.home, buildpacks_dir=place / "buildpacks", tools_dir=None)

    async def deploy(self, app: App, number: int) -> None:
        """One push of a source that does not compress."""
        platform = self._house.platform
        by, url, parts = self._house.owner.account, platform.settings.web_url(app.name), deploying(platform)
        if number % REALLY_BUILT_EVERY == 0:
            parts["builder"] = self.builder
        await push(app, f"{number:040x}", _source(), _nowhere, by=by, web_url=url, blobs=self.blobs, **parts)

    async def retain(self) -> None:
        """An hour passes, and what is old or too much goes."""
        self._house.clock.advance(HOUR_S)
        platform = self._house.platform
        parts = {"db": platform.db, "vault": platform.vault, "streams": platform.streams, "clock": platform.clock}
        self._suspects = await retain_once(self._suspects, blobs=self.blobs, slugs_max_bytes=BUDGET_BYTES, **parts)  # type: ignore[arg-type]


async def test_five_hundred_deploys_stay_within_the_budget(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_CACHE_MAX_BYTES", CACHE_MAX_BYTES)
    await house.create("busy")
    async with house.platform.db.reading() as tx:
        app = await find_app(tx, "busy")
    assert app is not None
    disk, cached = OnDisk(house, tmp_path), [0]
    async with FileLogs(tmp_path / "logs") as logs:
        for number in range(DEPLOYS):
            await disk.deploy(app, number)
            cached.append(used_bytes(work.cache_of(disk.home, app.id)))
            await logs.write(app.id, _lines(number))
            if number % 25 == 24:
                await disk.retain()
        await disk.retain()
        await disk.retain()
    assert used_bytes(tmp_path / "logs") <= LOG_BUDGET_BYTES + 2 * SEGMENT_BYTES
    assert max(cached) <= CACHE_MAX_BYTES
    assert sum(after < before for before, after in itertools.pairwise(cached)) >= 5, "it grew over its bound again and again"
    assert list((disk.home / "builds").iterdir()) == [disk.home / "builds/flow"]
    releases = await house.releases("busy")
    kept = await disk.blobs.keys("slugs/")
    assert releases[-1].version == DEPLOYS + 1
    assert RELEASES_KEPT <= len(kept) < DEPLOYS // 5
    assert sum([await disk.blobs.size(key) for key in kept]) <= BUDGET_BYTES
    assert used_bytes(tmp_path / "blobs") <= BUDGET_BYTES + 4 * KIB * len(kept)
    assert await disk.blobs.keys("sources/") == []
    assert len(list(house.streams_dir.iterdir())) <= OUTPUTS_KEPT
    newest = [release for release in releases if release.slug_checksum][-RELEASES_KEPT:]
    assert {release.slug_checksum for release in newest} <= {key.removeprefix("slugs/").removesuffix(".tgz") for key in kept}
    assert {release.status.value for release in newest} == {"succeeded"}


def _lines(number: int) -> list[LogLine]:
    """What a deploy's dynos say."""
    text = f"deploy {number} ".ljust(LINE_BYTES, "x")
    return [LogLine(datetime.now(UTC), "app", "web.1", text, "dyno", number * LINES + place) for place in range(LINES)]


def used_bytes(folder: Path) -> int:
    """What files below a folder take up."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


async def _source() -> AsyncIterator[bytes]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, text in (("Procfile", b"worker: work"), ("random", os.urandom(SLUG_BYTES - 10 * KIB))):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    yield content.getvalue()


async def _nowhere(_: bytes) -> None:
    return
