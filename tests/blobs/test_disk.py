"""What only the store on disk promises: nothing half-written survives a crash or a full disk."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from senryu.blobs import DiskBlobStore
from senryu.core.errors import Unavailable

MAX_BYTES = 10 * 1024 * 1024


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_an_upload_cut_off_by_a_crash_is_gone_after_the_next_start(tmp_path: Path) -> None:
    blobs = DiskBlobStore(tmp_path)
    await blobs.put("slugs/a", pieces(b"kept"), max_bytes=MAX_BYTES)
    (tmp_path / ".incoming" / "half").write_bytes(b"half an object")
    again = DiskBlobStore(tmp_path)
    assert await again.keys("") == ["slugs/a"]
    assert list((tmp_path / ".incoming").iterdir()) == []


async def test_a_store_begins_on_a_disk_that_has_no_room_for_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DiskBlobStore(tmp_path / "blobs")
    (tmp_path / "blobs/.incoming/half").write_text("hal")

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device") if not (tmp_path / "blobs/.incoming").exists() else FileExistsError

    monkeypatch.setattr("os.mkdir", refused)
    DiskBlobStore(tmp_path / "blobs")
    assert list((tmp_path / "blobs/.incoming").iterdir()) == []


async def test_a_cancelled_upload_leaves_no_file(tmp_path: Path) -> None:
    blobs = DiskBlobStore(tmp_path)
    sending = asyncio.Event()

    async def never_ends() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        sending.set()
        await asyncio.Event().wait()
        yield b""

    upload = asyncio.ensure_future(blobs.put("sources/a", never_ends(), max_bytes=MAX_BYTES))
    await asyncio.wait_for(sending.wait(), timeout=10)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_disk_that_refuses_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = DiskBlobStore(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="free disk space"):
        await blobs.put("sources/a", pieces(b"x"), max_bytes=MAX_BYTES)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_objects_are_readable_by_the_platform_only(tmp_path: Path) -> None:
    blobs = DiskBlobStore(tmp_path / "blobs")
    await blobs.put("sources/a", pieces(b"x"), max_bytes=MAX_BYTES)
    (tmp_path / "made").write_bytes(b"y")
    (tmp_path / "made").chmod(0o666)
    key, _checksum, _size = await blobs.adopt(str(tmp_path / "made"), prefix="slugs", suffix="", max_bytes=MAX_BYTES)
    for name in ("sources/a", key):
        assert (tmp_path / "blobs" / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a second file system at /dev/shm")
async def test_a_file_from_another_file_system_is_adopted_as_well(tmp_path: Path) -> None:
    blobs = DiskBlobStore(tmp_path)
    made = Path("/dev/shm") / f"senryu-test-{os.getpid()}"
    made.write_bytes(b"from elsewhere")
    try:
        key, _checksum, size = await blobs.adopt(str(made), prefix="slugs", suffix=".tgz", max_bytes=MAX_BYTES)
    finally:
        made.unlink(missing_ok=True)
    assert size == 14
    assert b"".join([chunk async for chunk in blobs.get(key)]) == b"from elsewhere"
