"""Releases: numbered, immutable snapshots of code and config.

Source: https://devcenter.heroku.com/articles/releases, /articles/release-phase; schema `release`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from .config_var import ConfigVars
from .errors import Invalid
from .limits import RELEASES_KEPT, RELEASES_KEPT_S, SLUGS_KEPT_MAX_BYTES


class ReleaseStatus(StrEnum):
    """`pending` while its release phase runs; `expired` when its slug is gone."""

    FAILED = "failed"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Release:
    """One release. Nothing of it changes but its status.

    `brings_code` tells deploys (build, slug, rollback's new code) from config changes; a deploy whose web dynos never come up while
    an older release serves becomes `failed`.
    """

    id: UUID
    app_id: UUID
    version: int
    status: ReleaseStatus
    description: str
    user_id: UUID
    config_vars: ConfigVars
    process_types: Mapping[str, str]
    slug_id: UUID | None
    slug_checksum: str | None
    stack: str
    brings_code: bool
    created_at: datetime
    updated_at: datetime
    commit: str | None = None
    failure: str | None = None
    timing: Mapping[str, float] | None = None


def current(releases: Sequence[Release]) -> Release | None:
    """The release that should run: the newest that succeeded. Takes them in any order."""
    done = [release for release in releases if release.status is ReleaseStatus.SUCCEEDED]
    return max(done, key=lambda release: release.version, default=None)


def needs_release_phase(process_types: Mapping[str, str], slug_id: UUID | None) -> bool:
    """Whether a new release runs its `release:` command first (Heroku's rule: with code, on every kind of change)."""
    return slug_id is not None and "release" in process_types


def is_eligible_for_rollback(release: Release) -> bool:
    """Whether `releases:rollback` may take it: it has code that is still kept and it once worked."""
    return release.slug_id is not None and release.status is ReleaseStatus.SUCCEEDED


def checked_rollback(target: Release) -> Release:
    """The release to roll back to. Raises: Invalid when it has no code or never worked."""
    if target.slug_id is None:
        raise Invalid(f"Cannot roll back to v{target.version}, which had no app deployed; choose a later release.")
    if target.status is ReleaseStatus.EXPIRED:
        raise Invalid(f"Cannot roll back to v{target.version}: its slug expired. Choose a newer release.")
    if target.status is not ReleaseStatus.SUCCEEDED:
        raise Invalid(f"Cannot roll back to v{target.version}: it is {target.status.value}. Choose a release that succeeded.")
    return target


def expiring(
    releases: Sequence[Release], now: datetime, sizes: Mapping[UUID, int] | None = None, max_bytes: int = SLUGS_KEPT_MAX_BYTES
) -> list[Release]:
    """Those whose slug need not be kept: neither among the last 20 with code nor current, and older than 30 days or above the budget.

    Takes: `sizes`, bytes of the slugs by id; the newest that together are no larger than `max_bytes` are within the budget.
    Source: Dev Center changelog 3395; the budget is ours.
    """
    with_code = sorted((r for r in releases if r.slug_id is not None), key=lambda r: r.version, reverse=True)
    kept_since = now - timedelta(seconds=RELEASES_KEPT_S)
    serving = current(releases)
    gone: list[Release] = []
    slugs: set[UUID] = set()
    used_bytes = 0
    for place, release in enumerate(with_code):
        if release.status is ReleaseStatus.EXPIRED:
            continue
        if release.slug_id is not None and release.slug_id not in slugs:
            slugs.add(release.slug_id)
            used_bytes += (sizes or {}).get(release.slug_id, 0)
        is_old = release.created_at < kept_since or used_bytes > max_bytes
        if place >= RELEASES_KEPT and is_old and release is not serving:
            gone.append(release)
    return gone
