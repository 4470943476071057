"""Releases: append-only but for their status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, insert, select, update

from ..core.release import Release, ReleaseStatus
from .database import Transaction
from .rows import columns, noun
from .tables import releases, slugs
from .vault import Vault


def _query() -> Select[Any]:
    return select(releases, slugs.c.checksum.label("slug_checksum")).join(slugs, releases.c.slug_id == slugs.c.id, isouter=True)


def _release(row: Any, vault: Vault) -> Release:
    return noun(Release, row, status=ReleaseStatus(row["status"]), config_vars=vault.open(row["sealed_config_vars"]))


async def append_release(tx: Transaction, release: Release, *, vault: Vault) -> Release:
    """Stores a release under the app's next version (its own `version` is ignored) and gives it as stored.

    The caller holds the app (`lock_app`), so that versions have no holes. Raises: Conflict when it did not.
    """
    latest = (await tx.execute(select(func.max(releases.c.version)).where(releases.c.app_id == release.app_id))).scalar()
    stored = replace(release, version=(latest or 0) + 1)
    sealed = vault.seal(stored.config_vars)
    await tx.execute(insert(releases).values(columns(stored, "config_vars", "slug_checksum") | {"sealed_config_vars": sealed}))
    return stored


async def update_status(
    tx: Transaction,
    id: UUID,
    status: ReleaseStatus,
    now: datetime,
    *,
    failure: str | None = None,
) -> None:
    """What became of a release."""
    values: dict[str, Any] = {"status": status.value, "updated_at": now}
    if failure is not None:
        values["failure"] = failure
    await tx.execute(update(releases).where(releases.c.id == id).values(values))


async def note_timing(tx: Transaction, id: UUID, timing: Mapping[str, float]) -> None:
    """How long the steps of a deploy took, in seconds by name."""
    await tx.execute(update(releases).where(releases.c.id == id).values(timing=dict(timing)))


async def find_release(tx: Transaction, app_id: UUID, id_or_version: UUID | int, *, vault: Vault) -> Release | None:
    """A release of an app, by id or version."""
    wanted = releases.c.id == id_or_version if isinstance(id_or_version, UUID) else releases.c.version == id_or_version
    row = (await tx.execute(_query().where(wanted, releases.c.app_id == app_id))).mappings().first()
    return _release(row, vault) if row else None


async def current_release(tx: Transaction, app_id: UUID, *, vault: Vault) -> Release | None:
    """The release that should run: the newest that succeeded."""
    query = _query().where(releases.c.app_id == app_id, releases.c.status == ReleaseStatus.SUCCEEDED.value)
    row = (await tx.execute(query.order_by(releases.c.version.desc()).limit(1))).mappings().first()
    return _release(row, vault) if row else None


async def latest_release(tx: Transaction, app_id: UUID, *, vault: Vault) -> Release | None:
    """What the next release builds on: the newest that did not fail, a pending one included."""
    query = _query().where(releases.c.app_id == app_id, releases.c.status != ReleaseStatus.FAILED.value)
    row = (await tx.execute(query.order_by(releases.c.version.desc()).limit(1))).mappings().first()
    return _release(row, vault) if row else None


async def has_code(tx: Transaction, app_id: UUID) -> bool:
    """Whether any release of an app has a slug."""
    query = select(releases.c.id).where((releases.c.app_id == app_id) & releases.c.slug_id.is_not(None)).limit(1)
    return (await tx.execute(query)).first() is not None


async def list_releases(
    tx: Transaction, app_id: UUID, *, vault: Vault, newest_first: bool = False, most: int | None = None, before: int | None = None
) -> list[Release]:
    """An app's releases by version."""
    order = releases.c.version.desc() if newest_first else releases.c.version
    query = _query().where(releases.c.app_id == app_id).order_by(order)
    if before is not None:
        query = query.where(releases.c.version < before)
    if most is not None:
        query = query.limit(most)
    return [_release(row, vault) for row in (await tx.execute(query)).mappings()]


async def list_pending_releases(tx: Transaction, app_id: UUID, *, vault: Vault) -> list[Release]:
    """An app's releases whose release phase has no end, oldest first: to come, under way, or interrupted."""
    query = _query().where(releases.c.app_id == app_id, releases.c.status == ReleaseStatus.PENDING.value)
    rows = (await tx.execute(query.order_by(releases.c.version))).mappings()
    return [_release(row, vault) for row in rows]
