"""Objects in a dictionary: for tests and for stories of the whole house without a disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from senryu.core.errors import Unavailable
from senryu.core.slug import BlobStore

from .key import checked, missing, too_large


class MemoryBlobStore:
    """A BlobStore that forgets everything when it goes."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> tuple[str, int]:
        """See BlobStore."""
        checked(key)
        content = bytearray()
        async for chunk in chunks:
            content += chunk
            if len(content) > max_bytes:
                raise too_large(max_bytes)
        self._objects[key] = bytes(content)
        return hashlib.sha256(content).hexdigest(), len(content)

    async def adopt(self, path: str, *, prefix: str, suffix: str, max_bytes: int) -> tuple[str, str, int]:
        """See BlobStore."""
        if os.path.islink(path) or not os.path.isfile(path):
            raise Unavailable(f"There is no regular file `{path}` to store; make it again.")
        content = Path(path).read_bytes()
        if len(content) > max_bytes:
            raise too_large(max_bytes)
        checksum = hashlib.sha256(content).hexdigest()
        key = checked(f"{prefix}/{checksum}{suffix}")
        self._objects[key] = content
        os.unlink(path)
        return key, checksum, len(content)

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """See BlobStore."""
        if key not in self._objects:
            raise missing(key)
        yield self._objects[key]

    async def size(self, key: str) -> int:
        """See BlobStore."""
        if key not in self._objects:
            raise missing(key)
        return len(self._objects[key])

    async def delete(self, key: str) -> None:
        """See BlobStore."""
        self._objects.pop(checked(key), None)

    async def keys(self, prefix: str) -> list[str]:
        """See BlobStore."""
        return sorted(key for key in self._objects if key.startswith(prefix))


_: type[BlobStore] = MemoryBlobStore
