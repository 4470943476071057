"""Which collaborators a kind of action takes, unpacked from the platform for a call."""

from __future__ import annotations

from datetime import UTC, datetime

from ..actions.destroy import Clearing
from ..actions.parts import Certified, Deploying, Releasing, Telling, Waking
from ..platform import Platform


def telling(platform: Platform) -> Telling:
    """See Telling."""
    return Telling(db=platform.db, log_writer=platform.log_writer, clock=platform.clock)


def certifying(platform: Platform) -> Certified:
    """See Certified."""
    return Certified(**telling(platform), certifying=platform.certifying)


def waking(platform: Platform) -> Waking:
    """See Waking."""
    return Waking(**telling(platform), supervision=platform.supervision)


def releasing(platform: Platform) -> Releasing:
    """See Releasing."""
    return Releasing(**waking(platform), default_size=platform.settings.default_size, vault=platform.vault)


def deploying(platform: Platform) -> Deploying:
    """See Deploying."""
    return Deploying(
        **releasing(platform),
        builder=platform.builder,
        streams=platform.streams,
        suppliers=platform.suppliers,
        first_database=platform.settings.first_database,
    )


def clearing(platform: Platform) -> Clearing:
    """See Clearing."""
    return Clearing(
        db=platform.db,
        engine=platform.engine,
        router=platform.router,
        blobs=platform.blobs,
        builder=platform.builder,
        repositories=platform.repositories,
        streams=platform.streams,
        log_reader=platform.log_reader,
    )


def iso(moment: datetime | None) -> str | None:
    """A time as the API writes it: `2026-01-02T03:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
