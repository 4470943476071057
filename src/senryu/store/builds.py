"""Builds and the slugs they made."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from ..core.build import Build, BuildStatus
from ..core.slug import Slug
from ..core.source import Source
from .database import Transaction
from .rows import columns, noun
from .tables import builds, releases, slugs


def _build(row: Any) -> Build:
    source = Source(row["source_key"], row["source_version"], row["source_version_description"])
    return noun(Build, row, source=source, status=BuildStatus(row["status"]), buildpacks=tuple(row["buildpacks"]))


def _columns(build: Build) -> dict[str, Any]:
    source = build.source
    return columns(build, "source") | {
        "source_key": source.key,
        "source_version": source.version,
        "source_version_description": source.version_description,
    }


async def create_build(tx: Transaction, build: Build) -> None:
    """Stores a new build."""
    await tx.execute(insert(builds).values(_columns(build)))


async def update_build(tx: Transaction, build: Build) -> None:
    """Stores what became of a build."""
    values = _columns(build)
    await tx.execute(update(builds).where(builds.c.id == build.id).values(values))


async def find_build(tx: Transaction, app_id: UUID, id: UUID) -> Build | None:
    """A build of an app."""
    row = (await tx.execute(select(builds).where((builds.c.id == id) & (builds.c.app_id == app_id)))).mappings().first()
    return _build(row) if row else None


async def list_builds(tx: Transaction, app_id: UUID) -> list[Build]:
    """An app's builds, oldest first."""
    rows = (await tx.execute(select(builds).where(builds.c.app_id == app_id).order_by(builds.c.created_at))).mappings()
    return [_build(row) for row in rows]


async def list_pending_builds(tx: Transaction) -> list[Build]:
    """Builds without an end, of all apps: under way, or interrupted."""
    rows = (await tx.execute(select(builds).where(builds.c.status == BuildStatus.PENDING.value))).mappings()
    return [_build(row) for row in rows]


def _slug(row: Any) -> Slug:
    return noun(Slug, row, buildpacks=tuple(row["buildpacks"]), checksum=row["checksum"] or "")


async def create_slug(tx: Transaction, slug: Slug) -> None:
    """Stores a slug's record; the object is in the blob store already."""
    await tx.execute(insert(slugs).values(columns(slug, "config_vars") | {"updated_at": slug.created_at}))


async def update_slug(tx: Transaction, slug: Slug) -> None:
    """Stores what changed of a slug's record."""
    await tx.execute(update(slugs).where(slugs.c.id == slug.id).values(columns(slug, "config_vars", "id")))


async def find_slug(tx: Transaction, app_id: UUID, id: UUID) -> Slug | None:
    """A slug of an app."""
    row = (await tx.execute(select(slugs).where((slugs.c.id == id) & (slugs.c.app_id == app_id)))).mappings().first()
    return _slug(row) if row else None


async def kept_checksums(tx: Transaction) -> set[str]:
    """Every slug object some record names."""
    return {checksum for checksum in (await tx.execute(select(slugs.c.checksum))).scalars() if checksum}


async def slug_sizes(tx: Transaction, app_id: UUID) -> dict[UUID, int]:
    """How many bytes each slug of an app takes, by id."""
    rows = await tx.execute(select(slugs.c.id, slugs.c.size_bytes).where(slugs.c.app_id == app_id))
    return {id: size or 0 for id, size in rows}


async def expire_unreleased_slugs(tx: Transaction, app_id: UUID, before: datetime) -> None:
    """Slugs made before a moment that no release uses name their objects no longer."""
    used = select(releases.c.slug_id).where((releases.c.app_id == app_id) & releases.c.slug_id.is_not(None))
    unused = (slugs.c.app_id == app_id) & (slugs.c.created_at < before) & slugs.c.id.not_in(used)
    await tx.execute(update(slugs).where(unused).values(checksum=None))


async def expire_slug(tx: Transaction, id: UUID) -> None:
    """The record no longer names its object."""
    await tx.execute(update(slugs).where(slugs.c.id == id).values(checksum=None))
