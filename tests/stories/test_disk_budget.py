"""What five hundred deploys leave on the disk: as much as docs/operating.md says, and no more."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

from house import House
from senryu.actions.push import push
from senryu.actions.retain import retain_once
from senryu.api.parts import deploying
from senryu.blobs.disk import DiskBlobStore
from senryu.core.app import App
from senryu.core.limits import KIB, MIB, OUTPUTS_KEPT, RELEASES_KEPT
from senryu.store.apps import find_app

DEPLOYS = 500
SLUG_BYTES = 64 * KIB
BUDGET_BYTES = 3 * MIB
HOUR_S = 3600.0


class OnDisk:
    """A builder whose slugs are as large as their sources, in a real store."""

    def __init__(self, house: House, blobs: DiskBlobStore) -> None:
        self._house, self.blobs = house, blobs
        self._suspects: set[str] = set()
        house.builder._blobs = blobs

    async def deploy(self, app: App, number: int) -> None:
        """One push of a source that does not compress."""
        platform = self._house.platform
        by, url = self._house.owner.account, platform.settings.web_url(app.name)
        await push(app, f"{number:040x}", _source(), _nowhere, by=by, web_url=url, blobs=self.blobs, **deploying(platform))

    async def retain(self) -> None:
        """An hour passes, and what is old or too much goes."""
        self._house.clock.advance(HOUR_S)
        platform = self._house.platform
        parts = {"db": platform.db, "vault": platform.vault, "streams": platform.streams, "clock": platform.clock}
        self._suspects = await retain_once(self._suspects, blobs=self.blobs, slugs_max_bytes=BUDGET_BYTES, **parts)  # type: ignore[arg-type]


async def test_five_hundred_deploys_stay_within_the_budget(house: House, tmp_path: Path) -> None:
    await house.create("busy")
    async with house.platform.db.reading() as tx:
        app = await find_app(tx, "busy")
    assert app is not None
    disk = OnDisk(house, DiskBlobStore(tmp_path / "blobs"))
    for number in range(DEPLOYS):
        await disk.deploy(app, number)
        if number % 25 == 24:
            await disk.retain()
    await disk.retain()
    await disk.retain()
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
