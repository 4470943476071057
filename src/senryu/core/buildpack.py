"""Buildpacks: what turns source into a slug.

Source: https://devcenter.heroku.com/articles/buildpack-api, /articles/buildpacks; schema `buildpack-installation`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import Invalid

# In the order in which they are asked to detect: the most specific first, `procfile` takes whatever is left.
BUILT_IN = ("ruby", "nodejs", "python", "php", "go", "static", "procfile")

# Heroku's own addresses of the same buildpacks, so that existing scripts and app.json files keep working.
_REGISTRY_URL = re.compile(r"^https://buildpack-registry\.s3\.amazonaws\.com/buildpacks/heroku/([a-z-]+)\.tgz\Z")
_GITHUB_URL = re.compile(r"^(?:https://|git@)github\.com[/:]heroku/heroku-buildpack-([a-z-]+?)(?:\.git)?(?:#.*)?\Z")
_ALIASES = {"node": "nodejs", "golang": "go", "static": "static", "nginx": "static"}


@dataclass(frozen=True, slots=True)
class Buildpack:
    """One buildpack of an app. `url` is a built-in's name as `heroku/python`, a git URL (with `#branch`) or a tarball's URL."""

    url: str

    @property
    def built_in(self) -> str | None:
        """The name of the built-in buildpack this is, None for an outside one."""
        name = self.url.removeprefix("urn:buildpack:")
        for pattern in (_REGISTRY_URL, _GITHUB_URL):
            if found := pattern.match(name):
                name = found[1]
        name = name.removeprefix("heroku/").removeprefix("senryu/")
        name = _ALIASES.get(name, name)
        return name if name in BUILT_IN else None

    @property
    def name(self) -> str:
        """What lists show: `heroku/python`, or the URL."""
        return f"heroku/{self.built_in}" if self.built_in else self.url


def buildpack(url: str) -> Buildpack:
    """A checked buildpack.

    Raises: Invalid when it is neither built in nor an address that git or HTTP can fetch.
    """
    wanted = Buildpack(url.strip())
    if wanted.built_in:
        return wanted
    try:
        parts = urlsplit(wanted.url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("https", "http", "git") and parts.netloc and not re.search(r"[\s\x00-\x1f]", wanted.url):
        return wanted
    raise Invalid(
        f"Couldn't find the buildpack `{url}`. Use one of {', '.join('heroku/' + name for name in BUILT_IN)},"
        " or the https address of a git repository or a .tgz."
    )
