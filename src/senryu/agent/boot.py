"""What outlives a restart of the agent but not one of the machine: a power cut may have emptied any of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import record


def forget_earlier_boots(directory: Path) -> None:
    """Empties a directory that was last used before this boot of the machine; nobody waited for the disk when it was filled."""
    mark, boot = directory.with_name(f"{directory.name}.boot"), record.boot_id()
    if mark.exists() and mark.read_text() == boot:
        return
    for left in directory.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    mark.write_text(boot)
