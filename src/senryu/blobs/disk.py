"""Objects as files below one directory, each complete and durable before it has its name.

Written beside, flushed, renamed: a reader or a crash never meets half an object.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from senryu.core.errors import Unavailable
from senryu.core.slug import BlobStore

from .key import checked, disk_failure, missing, too_large

_CHUNK_BYTES = 1024 * 1024
_INCOMING = ".incoming"


class DiskBlobStore:
    """A BlobStore in `directory`, which only this process writes to. Half-written objects of an earlier process are discarded."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / _INCOMING
        self._incoming.mkdir(parents=True, mode=0o700, exist_ok=True)
        for left in self._incoming.iterdir():  # not the directory itself: on a full disk it could not be made again
            left.unlink()

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> tuple[str, int]:
        """See BlobStore."""
        path = self._path(key)
        writing = await asyncio.to_thread(_Writing, self._incoming)
        try:
            pending = bytearray()
            async for chunk in chunks:
                pending += chunk
                if writing.size + len(pending) > max_bytes:
                    raise too_large(max_bytes)
                if len(pending) >= _CHUNK_BYTES:
                    await asyncio.to_thread(writing.write, bytes(pending))
                    pending.clear()
            await asyncio.to_thread(writing.write, bytes(pending))
            return await asyncio.to_thread(writing.finish, path)
        finally:
            writing.discard()

    async def adopt(self, path: str, *, prefix: str, suffix: str, max_bytes: int) -> tuple[str, str, int]:
        """See BlobStore. `path` must be a regular file that nobody writes to any more; a symbolic link is refused."""
        return await asyncio.to_thread(self._adopt, path, prefix, suffix, max_bytes)

    def _adopt(self, path: str, prefix: str, suffix: str, max_bytes: int) -> tuple[str, str, int]:
        try:
            # What a build left may be a link or a FIFO: neither is followed or waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(f"There is no regular file `{path}` to store ({error.strerror}); make it again.") from None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise Unavailable(f"There is no regular file `{path}` to store; make it again.")
        with open(descriptor, "rb") as file:
            if found.st_size > max_bytes:
                raise too_large(max_bytes)
            try:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
                os.fchmod(descriptor, 0o600)
                os.fsync(descriptor)
                key = f"{prefix}/{checksum}{suffix}"
                self._move_in(path, self._path(key))
            except OSError as error:
                raise disk_failure(error) from error
        return key, checksum, found.st_size

    def _move_in(self, path: str, target: Path) -> None:
        try:
            _name(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with open(path, "rb") as source:
                writing = _Writing(self._incoming)
                try:
                    shutil.copyfileobj(source, writing.file, _CHUNK_BYTES)
                    writing.finish(target)
                finally:
                    writing.discard()
            os.unlink(path)

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """See BlobStore."""
        try:
            file = await asyncio.to_thread(open, self._path(key), "rb")
        except FileNotFoundError:
            raise missing(key) from None
        with file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                yield chunk

    async def size(self, key: str) -> int:
        """See BlobStore."""
        try:
            return (await asyncio.to_thread(os.stat, self._path(key))).st_size
        except FileNotFoundError:
            raise missing(key) from None

    async def delete(self, key: str) -> None:
        """See BlobStore."""
        path = self._path(key)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def keys(self, prefix: str) -> list[str]:
        """See BlobStore."""
        return await asyncio.to_thread(self._keys, prefix)

    def _keys(self, prefix: str) -> list[str]:
        found: list[str] = []
        for folder, folders, files in os.walk(self._directory):
            folders[:] = [name for name in folders if name != _INCOMING]
            place = Path(folder).relative_to(self._directory)
            found += [(place / name).as_posix() for name in files]
        return sorted(key for key in found if key.startswith(prefix))

    def _path(self, key: str) -> Path:
        return self._directory / checked(key)


class _Writing:
    """One object on its way in. All calls block; discard is harmless after finish."""

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self._checksum = hashlib.sha256()
        try:
            descriptor, self._path = tempfile.mkstemp(dir=folder)
        except OSError as error:
            raise disk_failure(error) from error
        self.file = open(descriptor, "wb")  # noqa: SIM115

    def write(self, chunk: bytes) -> None:
        self._checksum.update(chunk)
        self.size += len(chunk)
        try:
            self.file.write(chunk)
        except OSError as error:
            raise disk_failure(error) from error

    def finish(self, target: Path) -> tuple[str, int]:
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            _name(self._path, target)
        except OSError as error:
            raise disk_failure(error) from error
        return self._checksum.hexdigest(), self.size

    def discard(self) -> None:
        try:
            self.file.close()
        except OSError:
            pass
        Path(self._path).unlink(missing_ok=True)


def _name(path: str, target: Path) -> None:
    """Renames a flushed file to its name and makes the name durable too."""
    made = _make_folders(target.parent)
    os.rename(path, target)
    for folder in (target.parent, *made):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _make_folders(folder: Path) -> list[Path]:
    """Creates what is missing; gives the folders that got a new entry."""
    if folder.is_dir():
        return []
    parents = _make_folders(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    return [folder.parent, *parents]


_: type[BlobStore] = DiskBlobStore
