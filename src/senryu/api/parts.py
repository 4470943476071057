"""Which collaborators a kind of action takes, unpacked from the platform for a call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

from ..core.build import Builder, Streams
from ..core.clock import Clock
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..platform import Platform
from ..store.database import Database
from ..store.vault import Vault


class Telling(TypedDict):
    """What every action that changes an app takes."""

    db: Database
    log_writer: LogWriter
    clock: Clock


class Waking(Telling):
    """… and has supervise look."""

    supervision: Supervision


class Releasing(Waking):
    """… by making a release."""

    default_size: str
    vault: Vault


class Deploying(Releasing):
    """… from source."""

    builder: Builder
    streams: Streams


def telling(platform: Platform) -> Telling:
    """See Telling."""
    return Telling(db=platform.db, log_writer=platform.log_writer, clock=platform.clock)


def waking(platform: Platform) -> Waking:
    """See Waking."""
    return Waking(**telling(platform), supervision=platform.supervision)


def releasing(platform: Platform) -> Releasing:
    """See Releasing."""
    return Releasing(**waking(platform), default_size=platform.settings.default_size, vault=platform.vault)


def deploying(platform: Platform) -> Deploying:
    """See Deploying."""
    return Deploying(**releasing(platform), builder=platform.builder, streams=platform.streams)


def iso(moment: datetime | None) -> str | None:
    """A time as the API writes it: `2026-01-02T03:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
