"""Which files of the root are the site's, and how long each may be kept."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

# With "." as root these lie beside the pages, and are nobody's business.
NOT_PAGES = {"static.json", "Procfile", "app.json", "bin"}

A_YEAR = "public, max-age=31536000, immutable"
A_MOMENT = "public, max-age=300"
ALWAYS_ASK = "no-cache"

# main.3f9a1c2e.js, style-0123abcd….css: eight or more hexadecimal digits, a number among them.
HEXADECIMAL = re.compile(r"[.\-_](?=[0-9a-f]*[0-9])[0-9a-f]{8,64}\.[^/]+$")
# Vite's and Rollup's index-BxK3a_9d.js: eight letters of the URL alphabet, only believed where build tools put them.
BUILT_ASSET = re.compile(r"/(?:assets|static|_astro|_app|_next|chunks)/(?:.*/)?[^/]*[.-](?=[\w-]*[0-9A-Z])[\w-]{8}\.[^/]+$")


def pages(root: Path, app: Path) -> Iterator[tuple[str, Path]]:
    """Every file to serve, as (path below the root, file).

    Hidden files are left out, but ``.well-known`` is not; so is whatever leads out of the root through a symbolic link.
    """
    for folder, names, files in os.walk(root):
        at_the_top = Path(folder) == app
        names[:] = sorted(name for name in names if is_public(name) and not (at_the_top and name in NOT_PAGES))
        for name in sorted(files):
            path = Path(folder, name)
            if is_public(name) and not (at_the_top and name in NOT_PAGES) and stays_inside(path, root):
                yield path.relative_to(root).as_posix(), path


def is_public(name: str) -> bool:
    return not name.startswith(".") or name == ".well-known"


def stays_inside(path: Path, root: Path) -> bool:
    if not path.is_symlink():
        return path.is_file()
    real = path.resolve()
    inside = real.is_relative_to(root) and all(is_public(part) for part in real.relative_to(root).parts)
    return inside and real.is_file()


def cache_control(url: str) -> str:
    """Pages are asked for again each time, fingerprinted names are kept for a year, the rest for minutes."""
    if url.endswith((".html", ".htm", "/")):
        return ALWAYS_ASK
    if HEXADECIMAL.search(url) or BUILT_ASSET.search(url):
        return A_YEAR
    return A_MOMENT
