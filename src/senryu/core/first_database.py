"""Whether an app's manifests name a PostgreSQL client, so that its first deploy gets it a database, as Heroku's buildpacks asked for.

What is read here was uploaded by a user: nothing is executed, every file is bounded, what cannot be read names nothing.

Source: https://devcenter.heroku.com/articles/ruby-support, /articles/python-support; PEP 503 (names), PEP 508.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .limits import KIB, MIB

SERVICE = "heroku-postgresql"
VARIABLE = "DATABASE_URL"
ATTACHMENT = "DATABASE"
OFF = "off"  # for a setting: no app gets one by itself

_PARSED_MAX_BYTES = 256 * KIB  # what goes through a parser
_TOML_MAX_BYTES = 64 * KIB
_LINE_DOTS_MAX, _KEY_DOTS_MAX = 200, 20
MANIFEST_MAX_BYTES = 8 * MIB  # what is searched line by line
_PYTHON = re.compile(r"^(?:psycopg.*|asyncpg|pg8000)\Z")
_REQUIREMENT = re.compile(r"[ \t]*([A-Za-z0-9][A-Za-z0-9._-]{0,100})")
_LOCKED = re.compile(rb'^name = "([A-Za-z0-9][A-Za-z0-9._-]{0,100})"[ \t]*\r?$', re.MULTILINE)
_GEM = re.compile(rb"""^[ \t]*gem[ \t(]{1,10}(?:"pg"|'pg')[ \t]*(?:[,)#\r]|$)""", re.MULTILINE)
_LOCKED_GEM = re.compile(rb"^    pg \(", re.MULTILINE)


def _python_client(names: Iterable[str]) -> str | None:
    for name in names:
        if _PYTHON.match(re.sub(r"[-_.]+", "-", name).lower()):
            return name
    return None


def _required(requirements: Iterable[object]) -> str | None:
    """Of PEP 508 lines, such as `psycopg[binary]>=3 ; python_version > '3'`."""
    found = (_REQUIREMENT.match(line) for line in requirements if isinstance(line, str))
    return _python_client(match[1] for match in found if match)


def _requirements_txt(content: bytes) -> str | None:
    return _required(content.decode("utf-8", "replace").splitlines())


def _is_deep(line: bytes) -> bool:
    """Whether a line may hold a dotted key so deep that tomllib, whose time grows with its square, takes long."""
    key = line if line.lstrip().startswith(b"[") else line.partition(b"=")[0]
    return line.count(b".") > _LINE_DOTS_MAX or key.count(b".") > _KEY_DOTS_MAX


def _toml(content: bytes) -> dict[str, Any]:
    if len(content) >= _TOML_MAX_BYTES or any(_is_deep(line) for line in content.splitlines()):
        return {}
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError):  # also of no UTF-8, and of a number with too many digits
        return {}


def _part(document: object, *keys: str) -> object:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _keys(table: object) -> list[str]:
    return [key for key in table if isinstance(key, str)] if isinstance(table, dict) else []


def _pyproject(content: bytes) -> str | None:
    document = _toml(content)
    required = _part(document, "project", "dependencies")
    found = _required(required) if isinstance(required, list) else None
    return found or _python_client(_keys(_part(document, "tool", "poetry", "dependencies")))


def _pipfile(content: bytes) -> str | None:
    return _python_client(_keys(_part(_toml(content), "packages")))


def _locked(content: bytes) -> str | None:
    return _python_client(match[1].decode() for match in _LOCKED.finditer(content))


def _package_json(content: bytes) -> str | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return "pg" if "pg" in _keys(_part(document, "dependencies")) else None


def _gemfile(content: bytes) -> str | None:
    return "pg" if _GEM.search(content) else None


def _gemfile_lock(content: bytes) -> str | None:
    return "pg" if _LOCKED_GEM.search(content) else None


# In the order in which they are asked; what is larger than the bound is cut off there.
MANIFESTS: Mapping[str, tuple[int, Callable[[bytes], str | None]]] = {
    "Gemfile.lock": (MANIFEST_MAX_BYTES, _gemfile_lock),
    "Gemfile": (_PARSED_MAX_BYTES, _gemfile),
    "requirements.txt": (_PARSED_MAX_BYTES, _requirements_txt),
    "pyproject.toml": (_PARSED_MAX_BYTES, _pyproject),
    "Pipfile": (_PARSED_MAX_BYTES, _pipfile),
    "poetry.lock": (MANIFEST_MAX_BYTES, _locked),
    "uv.lock": (MANIFEST_MAX_BYTES, _locked),
    "package.json": (_PARSED_MAX_BYTES, _package_json),
}


def wanted_by(manifests: Mapping[str, bytes], addons: Iterable[str] = ()) -> str | None:
    """Why an app is to have a database: `Gemfile.lock names pg`, or None.

    Takes: `manifests`, contents by the names in MANIFESTS; `addons`, what buildpacks ask for in `bin/release`.
    """
    for name, (most, client_in) in MANIFESTS.items():
        content = manifests.get(name)
        client = client_in(content[:most]) if content else None
        if client is not None:
            return f"{name} names {client}"
    asked = any(addon.partition(":")[0] == SERVICE for addon in addons)
    return f"its buildpack asks for {SERVICE}" if asked else None
