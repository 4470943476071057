"""Sources: what builds start from.

Source: schema `source`; https://devcenter.heroku.com/articles/build-and-release-using-the-api
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Source:
    """A tarball in the blob store: `key` names it there; `version` is the commit or whatever the user calls it."""

    key: str
    version: str | None = None
    version_description: str | None = None


class Repositories(Protocol):
    """The apps' git repositories, as far as the rest of the house is concerned."""

    async def remove(self, app_id: UUID) -> None:
        """Deletes an app's repository. Idempotent."""
