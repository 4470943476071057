"""Writing a file so that whoever reads it finds the old one or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path

SHARED_FILE = 0o660  # senryud and HAProxy are different users of one group


def write_whole(path: Path, text: str, mode: int = SHARED_FILE) -> None:
    """Replaces a file in one step; it is on disk before it has its name, and has its mode before it has content.

    Does nothing when it says the same already. Blocks. Raises OSError.
    """
    if path.exists() and path.read_text() == text:
        return
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.rename(path)
