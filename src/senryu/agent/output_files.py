"""The files a dyno's output went to: conmon replaces its file when it is full, and a reader that was away must find what was in the last.

Each is kept by a name of its own, so that it is there for the next life of the agent, too.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .shim import OUTPUT_MAX_BYTES

FILES_KEPT = 4  # with the one being written


@dataclass(slots=True)
class _File:
    """One file. `lost` is how many lines right before it nobody can read any more."""

    descriptor: int
    inode: int
    path: Path
    lost: int = 0
    was_given: bool = False


class OutputFiles:
    """What is left of one dyno's output. `log` is where conmon writes. Safe to use from threads."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._files: list[_File] = []
        self._opened = 0
        self._replaced = 0
        self._missed = 0
        self._untold = 0
        self._number = 0
        self._is_closed = False
        self._find_again()

    def look(self, *, was_replaced: bool = False) -> None:
        """Takes hold of the file being written. `was_replaced` says that the kernel told of a new one."""
        with self._lock:
            self._replaced += was_replaced
            self._take_newest()
            missed = max(0, self._replaced - self._opened + 1) - self._missed
            if missed > 0 and len(self._files) > 1:  # replaced twice before we looked: as many lines as in the one before, about
                self._missed += missed
                self._untold += missed * _lines(self._files[-2].descriptor)
            if self._files and not self._files[-1].was_given:
                self._files[-1].lost += self._untold
                self._untold = 0

    def after(self, inode: int) -> tuple[int, int] | None:
        """A copy of the file behind the one with `inode` (0 or one not known: the oldest there is), and how many lines are lost before it.

        None when there is none. The caller closes it.
        """
        with self._lock:
            self._take_newest()
            read = next((place for place, file in enumerate(self._files, 1) if file.inode == inode), 0)
            for file in self._files[:read]:
                file.was_given = True  # by an agent before this one, it may be
            following = self._files[read:]
            if not following:
                return None
            following[0].was_given = True
            return _anew(following[0].descriptor), following[0].lost

    def close(self) -> None:
        """Lets go of all files, for good. They stay where they are."""
        with self._lock:
            self._is_closed = True
            while self._files:
                os.close(self._files.pop().descriptor)

    def _find_again(self) -> None:
        for path in sorted(self._log.parent.glob(f"{self._log.name}.[0-9]*")):
            self._number = int(path.suffix[1:])
            with suppress(OSError):
                self._keep(path, path)
        with suppress(OSError):
            inode = self._log.stat().st_ino
            self._opened += any(file.inode == inode for file in self._files)

    def _take_newest(self) -> None:
        path = self._log.with_name(f"{self._log.name}.{self._number + 1:010}")
        with suppress(OSError):
            if not self._is_closed and self._keep(self._log, path):
                self._number += 1
                self._opened += 1
                _name(self._files[-1].descriptor, path)
        while len(self._files) > FILES_KEPT:
            gone = self._files.pop(0)
            if not gone.was_given:
                self._files[0].lost += gone.lost + _lines(gone.descriptor)
            os.close(gone.descriptor)
            with suppress(OSError):
                gone.path.unlink()

    def _keep(self, source: Path, path: Path) -> bool:
        """Holds a file unless it is held already. Raises: OSError when it cannot be opened."""
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        inode = os.fstat(descriptor).st_ino  # held files keep their inodes, so no other file has one of them
        if any(file.inode == inode for file in self._files):
            os.close(descriptor)
            return False
        self._files.append(_File(descriptor, inode, path))
        return True


def _name(descriptor: int, path: Path) -> None:
    """Makes a name for an open file. One that conmon has replaced meanwhile can have none: it is there as long as this process."""
    with suppress(OSError):
        # A place to start from, which an absolute path does not need, has Python follow the link.
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


def _lines(descriptor: int) -> int:
    """How many lines end in a file, at least one when there is anything. A record tagged P is a part of a line."""
    content = os.pread(descriptor, 2 * OUTPUT_MAX_BYTES, 0)
    ended = content.count(b"\n") - content.count(b"+00:00 stdout P ") - content.count(b"+00:00 stderr P ")
    return max(ended, 1) if content else 0


def _anew(descriptor: int) -> int:
    """The same file opened once more: a duplicate would go on where the reader before stopped."""
    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
