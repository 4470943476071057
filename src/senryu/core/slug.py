"""Slugs: the built app, compressed, content-addressed; and the contract of where such objects are kept.

Source: https://devcenter.heroku.com/articles/slug-compiler, schema `slug`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Slug:
    """A built app. `checksum` is the hex SHA-256 of the object `slugs/<checksum>.tgz`; `size_bytes` its compressed size."""

    id: UUID
    app_id: UUID
    checksum: str
    size_bytes: int
    process_types: Mapping[str, str]
    stack: str
    created_at: datetime
    commit: str | None = None
    commit_description: str | None = None
    buildpack_provided_description: str | None = None
    buildpacks: tuple[str, ...] = ()
    config_vars: Mapping[str, str] | None = None

    @property
    def key(self) -> str:
        """Where the object is in the blob store."""
        return slug_key(self.checksum)


def slug_key(checksum: str) -> str:
    """The blob store's key of a slug."""
    return f"slugs/{checksum}.tgz"


class BlobStore(Protocol):
    """Keeps slugs and sources as whole objects under keys such as `slugs/<sha256>.tgz`. An object appears complete or not at all."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> tuple[str, int]:
        """Stores an object, gives its hex SHA-256 and size. Durable when it returns.

        Raises: Invalid above `max_bytes`, Unavailable when the disk is full.
        """

    async def adopt(self, path: str, *, prefix: str, suffix: str, max_bytes: int) -> tuple[str, str, int]:
        """Moves a local file in under `<prefix>/<its sha256><suffix>`; gives (key, sha256, size). Raises as `put`."""

    def get(self, key: str) -> AsyncIterator[bytes]:
        """The object in chunks. Raises NotFound."""

    async def size(self, key: str) -> int:
        """Its size in bytes. Raises NotFound."""

    async def delete(self, key: str) -> None:
        """Forgets an object. Idempotent."""

    async def keys(self, prefix: str) -> list[str]:
        """All keys that start so; for retention."""
