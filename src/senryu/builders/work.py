"""Directories of builds below SENRYU_HOME. All calls block.

A build's user owns what it makes there (senryud does, seen from outside) and may leave it in any state: unreadable directories, links
to anywhere. Nothing here follows a link.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from senryu.core import limits

_FLOW = Path(__file__).parent / "flow"
_BLOCK_BYTES = 512
_FULL_BELOW_BYTES = 4 << 20


class Work:
    """The directories of one build: `inside` is what it reads, `out` what it writes, `cache` what the app's next build finds again."""

    def __init__(self, home: Path, build_id: UUID, app_id: UUID) -> None:
        self.root = home / "builds" / str(build_id)
        self.inside = self.root / "build"
        self.out = self.root / "out"
        self.cache = cache_of(home, app_id)

    def make(self, plan: str, env: Mapping[str, str]) -> None:
        """Creates all of them. Raises: OSError."""
        self.root.mkdir(mode=0o700)
        for folder in (self.inside, self.inside / "env", self.out):
            folder.mkdir(mode=0o700)
        self.cache.mkdir(mode=0o700, exist_ok=True)
        (self.inside / "plan").write_text(plan)
        for name, value in env.items():
            with open(os.open(self.inside / "env" / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(value)

    def remove(self) -> None:
        """Deletes everything but the cache."""
        remove_tree(self.root)


def cache_of(home: Path, app_id: UUID) -> Path:
    """Where an app's buildpacks keep things."""
    return home / "cache" / str(app_id)


def prepare(home: Path) -> Path:
    """Makes the directories all builds share, without what an earlier senryud left. Gives the directory of the flow's scripts."""
    builds = home / "builds"
    for folder in (builds, home / "cache"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A build container sees only what is below SENRYU_HOME.
    flow = builds / "flow"
    for old in builds.iterdir():  # the directory itself stays: only root may make one in the home
        if old != flow or not _is_copy(flow):  # a start on a full disk has nothing to write
            remove_tree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    if not flow.exists():
        shutil.copytree(_FLOW, flow)
    return flow


def _is_copy(flow: Path) -> bool:
    """Whether the directory has this version's scripts, and nothing else."""
    if flow.is_symlink() or not flow.is_dir():
        return False
    names = {place.name for place in _FLOW.iterdir()}
    matching, _, _ = filecmp.cmpfiles(_FLOW, flow, names, shallow=False)
    return names == {place.name for place in flow.iterdir()} == set(matching)


def is_disk_full(folder: Path) -> bool:
    """Whether the platform's own disk, where the folder is, has next to no room left."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES or (disk.f_files > 0 and disk.f_favail == 0)


def used_bytes(*folders: Path) -> int:
    """What files below the folders take up on disk."""
    total = 0
    for folder in folders:
        for _place, _folders, files, descriptor in os.fwalk(folder):
            for name in files:
                try:
                    total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * _BLOCK_BYTES
                except OSError:
                    continue
    return total


def is_crowded(folder: Path) -> bool:
    """Whether the file system of `folder` has less space or fewer files left than are kept for the database and for running apps."""
    disk = os.statvfs(folder)
    kept_bytes = min(limits.DISK_KEPT_BYTES, int(disk.f_blocks * disk.f_frsize * limits.DISK_KEPT_RATIO))
    return disk.f_bavail * disk.f_frsize < kept_bytes or disk.f_favail < disk.f_files * limits.DISK_KEPT_RATIO


def remove_tree(folder: Path) -> None:
    """Deletes a directory with all that is in it, whatever its modes. Nothing when there is none. Raises: OSError."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        _open_up(folder)
        shutil.rmtree(folder)


def _open_up(folder: Path) -> None:
    os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                _open_up(Path(entry.path))
