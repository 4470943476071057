"""What lies below a folder that others work in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def below(folder: Path) -> Iterator[Path]:
    """Every path below a folder. `Path.rglob` fails when a directory ends while it looks."""
    for place, directories, files in os.walk(folder):
        yield from (Path(place) / name for name in (*directories, *files))
