"""Slugs made elsewhere: a record first, then the object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from uuid import UUID, uuid4

from ..core import procfile
from ..core.app import App
from ..core.clock import Clock
from ..core.errors import NotFound
from ..core.limits import SLUG_MAX_BYTES
from ..core.slug import BlobStore, Slug, slug_key
from ..store.builds import create_slug, find_slug, update_slug
from ..store.database import Database


async def new_slug(
    app: App, process_types: Mapping[str, str], *, commit: str | None, description: str | None, db: Database, clock: Clock
) -> Slug:
    """A slug's record without its object yet. Raises: Invalid for process types that no Procfile could hold."""
    checked = procfile.parse("\n".join(f"{name}: {command}" for name, command in process_types.items()).encode())
    slug = Slug(uuid4(), app.id, "", 0, checked, app.build_stack, clock.now(), commit, None, description)
    async with db.transaction() as tx:
        await create_slug(tx, slug)
    return slug


async def store_slug(app_id: UUID, slug_id: UUID, chunks: AsyncIterator[bytes], *, db: Database, blobs: BlobStore) -> Slug:
    """Takes the object of a slug's record. Raises: NotFound, Invalid when it is too large."""
    async with db.reading() as tx:
        slug = await find_slug(tx, app_id, slug_id)
    if slug is None:
        raise NotFound("There is no such slug.")
    uploaded = f"uploads/{slug_id}.tgz"
    checksum, size = await blobs.put(uploaded, chunks, max_bytes=SLUG_MAX_BYTES)
    await blobs.put(slug_key(checksum), blobs.get(uploaded), max_bytes=SLUG_MAX_BYTES)
    await blobs.delete(uploaded)
    stored = replace(slug, checksum=checksum, size_bytes=size)
    async with db.transaction() as tx:
        await update_slug(tx, stored)
    return stored
