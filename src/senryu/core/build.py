"""Builds: source to slug, and the contract of what does it.

Source: https://devcenter.heroku.com/articles/slug-compiler, /articles/buildpack-api; schema `build`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from .buildpack import Buildpack
from .errors import Invalid
from .source import Source


class BuildStatus(StrEnum):
    """Spelled as the API spells it."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Build:
    """One attempt to make a slug. `output_key` names its output among the streams."""

    id: UUID
    app_id: UUID
    user_id: UUID
    status: BuildStatus
    source: Source
    stack: str
    buildpacks: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    slug_id: UUID | None = None
    release_id: UUID | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """Everything a builder needs. `buildpacks` empty: the built-in ones detect. `env` is the app's config vars (files in ENV_DIR);
    `reaches` and `buckets` what a dyno of the app could reach.
    """

    id: UUID
    app_id: UUID
    app_name: str
    source: Source
    buildpacks: tuple[Buildpack, ...]
    env: Mapping[str, str]
    stack: str
    reaches: tuple[int, ...] = ()
    buckets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """What came out. `process_types` are the Procfile's, over the buildpack's defaults.

    `config_vars` and `addons` are what `bin/release` asks for on a first deploy; `timing` how many seconds its steps took, by name;
    `database_wanted_by` why a first deploy is to have a database (core.first_database).
    """

    checksum: str
    size_bytes: int
    process_types: Mapping[str, str]
    buildpacks: tuple[str, ...]
    description: str
    config_vars: Mapping[str, str]
    addons: tuple[str, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)
    database_wanted_by: str | None = None


class BuildFailed(Invalid):
    """The source could not be built; the message says why and what to do. What the build printed went to its output."""

    id = "build_failed"


class Builder(Protocol):
    """Makes slugs. One build of an app at a time; the caller sees to that."""

    async def build(self, order: BuildOrder, output: Callable[[bytes], Awaitable[None]]) -> Built:
        """Builds; `output` gets what the user is to see, as it comes (lines such as `-----> Python app detected`).

        Raises: BuildFailed; Unavailable when the engine or disk fails; cancelling ends the build and leaves nothing behind.
        """

    async def purge_cache(self, app_id: UUID) -> None:
        """Deletes what buildpacks kept for the app. Idempotent."""


class Streams(Protocol):
    """Keeps the output of builds and release phases, for readers while it is made and after (`output_stream_url`)."""

    async def begin(self, stream_id: UUID) -> None:
        """Makes an empty stream, which readers may wait on. Idempotent."""

    async def append(self, stream_id: UUID, chunk: bytes) -> None:
        """Adds to a stream (beginning it), up to limits.BUILD_OUTPUT_MAX_BYTES; what is above is left out and said so once."""

    async def finish(self, stream_id: UUID) -> None:
        """Readers come to an end. Idempotent; a stream nobody finished is finished at the next start of the platform."""

    def read(self, stream_id: UUID) -> AsyncIterator[bytes]:
        """Everything from the beginning, then what comes, until it is finished. Raises NotFound when there is none."""

    async def forget(self, stream_id: UUID) -> None:
        """Deletes a stream."""
