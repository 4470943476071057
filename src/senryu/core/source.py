"""Sources: what builds start from.

Source: schema `source`; https://devcenter.heroku.com/articles/build-and-release-using-the-api
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A tarball in the blob store: `key` names it there; `version` is the commit or whatever the user calls it."""

    key: str
    version: str | None = None
    version_description: str | None = None
