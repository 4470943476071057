"""What every BlobStore must do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from senryu.blobs import DiskBlobStore, MemoryBlobStore
from senryu.core.errors import Invalid, NotFound, Unavailable
from senryu.core.slug import BlobStore

MAX_BYTES = 10 * 1024 * 1024


@pytest.fixture(params=["disk", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return DiskBlobStore(tmp_path / "blobs") if request.param == "disk" else MemoryBlobStore()


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(blobs: BlobStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.get(key)])


async def test_what_was_put_comes_back_with_its_checksum_and_size(blobs: BlobStore) -> None:
    chunks = [os.urandom(700_000) for _ in range(5)]
    checksum, size = await blobs.put("sources/one.tgz", pieces(*chunks), max_bytes=MAX_BYTES)
    whole = b"".join(chunks)
    assert (checksum, size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert await content(blobs, "sources/one.tgz") == whole
    assert await blobs.size("sources/one.tgz") == len(whole)


async def test_an_empty_object_is_an_object(blobs: BlobStore) -> None:
    await blobs.put("sources/empty", pieces(), max_bytes=MAX_BYTES)
    assert await content(blobs, "sources/empty") == b""
    assert await blobs.size("sources/empty") == 0


async def test_putting_again_replaces_the_object(blobs: BlobStore) -> None:
    await blobs.put("sources/one", pieces(b"first"), max_bytes=MAX_BYTES)
    await blobs.put("sources/one", pieces(b"second"), max_bytes=MAX_BYTES)
    assert await content(blobs, "sources/one") == b"second"


async def test_an_object_above_the_limit_is_refused_and_leaves_nothing(blobs: BlobStore) -> None:
    with pytest.raises(Invalid, match="larger than the 1 KB allowed"):
        await blobs.put("sources/large", pieces(b"x" * 1000, b"y" * 1000), max_bytes=1024)
    assert await blobs.keys("") == []


async def test_a_failing_sender_leaves_nothing_and_keeps_the_object_that_was_there(blobs: BlobStore) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionError

    await blobs.put("sources/one", pieces(b"whole"), max_bytes=MAX_BYTES)
    with pytest.raises(ConnectionError):
        await blobs.put("sources/one", breaks_off(), max_bytes=MAX_BYTES)
    assert await blobs.keys("") == ["sources/one"]
    assert await content(blobs, "sources/one") == b"whole"


async def test_an_unknown_key_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound, match="slugs/none"):
        await content(blobs, "slugs/none")
    with pytest.raises(NotFound):
        await blobs.size("slugs/none")


async def test_deleting_forgets_and_may_be_repeated(blobs: BlobStore) -> None:
    await blobs.put("sources/one", pieces(b"x"), max_bytes=MAX_BYTES)
    await blobs.delete("sources/one")
    await blobs.delete("sources/one")
    assert await blobs.keys("sources/") == []


async def test_keys_lists_what_starts_with_the_prefix(blobs: BlobStore) -> None:
    for key in ("slugs/b.tgz", "slugs/a.tgz", "sources/c.tgz", "sources/x/d.tgz"):
        await blobs.put(key, pieces(b"x"), max_bytes=MAX_BYTES)
    assert await blobs.keys("slugs/") == ["slugs/a.tgz", "slugs/b.tgz"]
    assert await blobs.keys("sources/") == ["sources/c.tgz", "sources/x/d.tgz"]
    assert len(await blobs.keys("")) == 4


@pytest.mark.parametrize(
    "key",
    ["../etc/passwd", "slugs/../../x", "/slugs/x", "slugs", "slugs//x", "slugs/.x", "slugs/a\0b", "slugs/a\n", "", "a/" * 20 + "b"],
)
async def test_a_key_that_could_leave_the_store_is_refused(blobs: BlobStore, key: str) -> None:
    with pytest.raises(Invalid, match="cannot name a stored object"):
        await blobs.put(key, pieces(b"x"), max_bytes=MAX_BYTES)


async def test_an_adopted_file_moves_in_under_its_checksum(blobs: BlobStore, tmp_path: Path) -> None:
    made = tmp_path / "slug.tgz"
    made.write_bytes(b"slug" * 1000)
    checksum = hashlib.sha256(b"slug" * 1000).hexdigest()
    assert await blobs.adopt(str(made), prefix="slugs", suffix=".tgz", max_bytes=MAX_BYTES) == (f"slugs/{checksum}.tgz", checksum, 4000)
    assert not made.exists()
    assert await content(blobs, f"slugs/{checksum}.tgz") == b"slug" * 1000


async def test_the_same_content_can_be_adopted_twice(blobs: BlobStore, tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "slug").write_bytes(b"same")
        key, _checksum, _size = await blobs.adopt(str(tmp_path / "slug"), prefix="slugs", suffix="", max_bytes=MAX_BYTES)
    assert await blobs.keys("slugs/") == [key]


async def test_a_file_above_the_limit_is_not_adopted(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "slug").write_bytes(b"x" * 2000)
    with pytest.raises(Invalid, match="larger than"):
        await blobs.adopt(str(tmp_path / "slug"), prefix="slugs", suffix="", max_bytes=1024)
    assert await blobs.keys("") == []


async def test_a_link_a_fifo_and_nothing_at_all_are_not_adopted(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "none", "."):
        with pytest.raises(Unavailable, match="no regular file"):
            await blobs.adopt(str(tmp_path / name), prefix="slugs", suffix="", max_bytes=MAX_BYTES)
    assert (tmp_path / "secret").exists()
    assert await blobs.keys("") == []
