"""static.json: how the owner wants the site served.

The subset of Heroku's static buildpack that needs no proxying: root, clean_urls, routes, error_page, https_only, headers, redirects.
Source: https://github.com/heroku/heroku-buildpack-static#configuration
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_ROOTS = ("public_html", "public")
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
KNOWN_KEYS = {"root", "clean_urls", "routes", "error_page", "https_only", "headers", "redirects"}
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Invalid(Exception):
    """static.json cannot be used; the message names the key and what it must be."""


@dataclass(frozen=True, slots=True)
class Redirect:
    url: str
    status: int = 301


@dataclass(frozen=True, slots=True)
class Settings:
    """What static.json says. Patterns are matched against the whole path: ``*`` inside a segment, ``**`` across segments."""

    root: Path
    clean_urls: bool = False
    https_only: bool = False
    error_page: str | None = None
    routes: tuple[tuple[re.Pattern[str], str], ...] = ()
    headers: tuple[tuple[re.Pattern[str], tuple[tuple[str, str], ...]], ...] = ()
    redirects: Mapping[str, Redirect] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def read(app: Path) -> Settings:
    """The settings of the app in a directory; defaults when it has no static.json.

    Raises: Invalid.
    """
    file = app / "static.json"
    try:
        said = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise Invalid(f"static.json is not JSON: {error}.") from None
    if not isinstance(said, dict):
        raise Invalid('static.json must be an object, such as {"root": "dist"}.')
    return Settings(
        root=find_root(app, said.get("root")),
        clean_urls=flag(said, "clean_urls"),
        https_only=flag(said, "https_only"),
        error_page=text(said["error_page"], "error_page") if "error_page" in said else None,
        routes=tuple((pattern(key), text(value, f"routes: {key}").lstrip("/")) for key, value in table(said, "routes").items()),
        headers=tuple((pattern(key), header_lines(key, value)) for key, value in table(said, "headers").items()),
        redirects={key.rstrip("/") or "/": redirect(key, value) for key, value in table(said, "redirects").items()},
        ignored=tuple(sorted(set(said) - KNOWN_KEYS)),
    )


def find_root(app: Path, said: object) -> Path:
    """The directory to serve, which must lie in the app."""
    names = [text(said, "root")] if said is not None else [name for name in DEFAULT_ROOTS if (app / name).is_dir()] or ["."]
    root = (app / names[0].lstrip("/")).resolve()
    if not root.is_relative_to(app.resolve()):
        raise Invalid(f'static.json: root "{names[0]}" lies outside the app.')
    if not root.is_dir():
        raise Invalid(f'static.json: root "{names[0]}" is not a directory of the app (commit the built files, or build them before).')
    return root


def pattern(glob: str) -> re.Pattern[str]:
    pieces = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(pieces.get(piece, re.escape(piece)) for piece in re.split(r"(\*\*|\*)", glob)))


def header_lines(where: str, said: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(said, dict):
        raise Invalid(f'static.json: headers: "{where}" must be an object of header names and values.')
    for name, value in said.items():
        if not HEADER_NAME.fullmatch(name) or not isinstance(value, str) or not value.isprintable():
            raise Invalid(f'static.json: headers: "{where}": "{name}" is not a header with a one-line value.')
    return tuple((name.lower(), value) for name, value in said.items())


def redirect(where: str, said: object) -> Redirect:
    if not isinstance(said, dict) or not isinstance(said.get("url"), str) or not said["url"].isprintable():
        raise Invalid(f'static.json: redirects: "{where}" must be an object with a "url".')
    status = said.get("status", 301)
    if status not in REDIRECT_STATUSES:
        raise Invalid(f'static.json: redirects: "{where}": status must be one of {", ".join(map(str, REDIRECT_STATUSES))}.')
    return Redirect(said["url"], status)


def flag(said: Mapping[str, Any], key: str) -> bool:
    value = said.get(key, False)
    if not isinstance(value, bool):
        raise Invalid(f"static.json: {key} must be true or false.")
    return value


def text(value: object, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"static.json: {key} must be a piece of text.")
    return value


def table(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = said.get(key, {})
    if not isinstance(value, dict):
        raise Invalid(f"static.json: {key} must be an object.")
    return value
