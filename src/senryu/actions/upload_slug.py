"""Slugs made elsewhere: a record first, then the object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from uuid import UUID, uuid4

from ..core import procfile
from ..core.app import App
from ..core.clock import Clock
from ..core.errors import Conflict, NotFound
from ..core.limits import SLUG_MAX_BYTES
from ..core.slug import BlobStore, Slug, slug_key
from ..store.apps import lock_app
from ..store.builds import create_slug, find_slug, update_slug
from ..store.database import Database, Transaction


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
    """Takes the object of a slug's record, once: a release of it must never change.

    Raises: NotFound, Conflict when it has one, Invalid when it is too large.
    """
    async with db.reading() as tx:
        await _empty_slug(tx, app_id, slug_id)
    uploaded = f"uploads/{uuid4()}.tgz"
    try:
        checksum, size = await blobs.put(uploaded, chunks, max_bytes=SLUG_MAX_BYTES)
        await blobs.put(slug_key(checksum), blobs.get(uploaded), max_bytes=SLUG_MAX_BYTES)
    finally:
        await blobs.delete(uploaded)
    async with db.transaction() as tx:
        await lock_app(tx, app_id)
        stored = replace(await _empty_slug(tx, app_id, slug_id), checksum=checksum, size_bytes=size)
        await update_slug(tx, stored)
    return stored


async def _empty_slug(tx: Transaction, app_id: UUID, slug_id: UUID) -> Slug:
    slug = await find_slug(tx, app_id, slug_id)
    if slug is None:
        raise NotFound("There is no such slug.")
    if slug.checksum:
        raise Conflict("This slug has its object already; make another slug for another one.")
    return slug
