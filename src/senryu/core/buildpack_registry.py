"""The registry of buildpacks that have a name: the built-in ones.

Source: https://devcenter.heroku.com/articles/buildpack-registry; wire contract 5.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from .buildpack import BUILT_IN
from .errors import NotFound

_IDS = UUID("0c8ff1b0-9a49-4f0a-8d5b-0a6f8a0f4f7d")
_DESCRIPTIONS = {
    "ruby": "Ruby with Bundler; Rails is recognised",
    "nodejs": "Node.js with npm, yarn or pnpm",
    "python": "Python with pip, uv or Pipenv; Django is recognised",
    "php": "PHP with Composer",
    "go": "Go with modules",
    "static": "Files as they are, with static.json",
    "procfile": "Whatever the Procfile starts, nothing is installed",
}


@dataclass(frozen=True, slots=True)
class RegisteredBuildpack:
    """A buildpack with a name in the registry."""

    name: str
    description: str

    @property
    def id(self) -> UUID:
        """The same on every platform."""
        return uuid5(_IDS, self.name)

    @property
    def blob_url(self) -> str:
        """The address by which clients know to show `heroku/<name>`. Nothing is fetched from there: see `Buildpack.built_in`."""
        return f"https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/{self.name}.tgz"


REGISTRY = tuple(RegisteredBuildpack(name, _DESCRIPTIONS[name]) for name in BUILT_IN)


def found_in_registry(namespaces: Sequence[str], names: Sequence[str], description: str) -> list[RegisteredBuildpack]:
    """Those of the given namespaces and names (none given: all) whose description has the text."""
    if namespaces and "heroku" not in namespaces:
        return []
    wanted = description.lower()
    return [each for each in REGISTRY if (not names or each.name in names) and wanted in each.description.lower()]


def registered(namespace: str, name: str) -> RegisteredBuildpack:
    """The buildpack `namespace/name`. Raises: NotFound."""
    for each in REGISTRY:
        if (namespace, name) == ("heroku", each.name):
            return each
    known = ", ".join(f"heroku/{each.name}" for each in REGISTRY)
    raise NotFound(f"Couldn't find the buildpack {namespace[:60]}/{name[:60]}; there are {known}.")
