"""Files where somebody else than root writes too: in the directories of data servers.

A server that was taken over can put a link wherever root is about to look. So root goes there by descriptors, follows no link, and
believes only what belongs to the directory's owner. What only root writes lies in directories of root's own, above those.

Source: open(2), O_NOFOLLOW and O_PATH; proc(5), /proc/pid/fd; path_resolution(7).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from senryu.core.errors import Unavailable

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ_MAX_BYTES: Final = 1 << 20
_SAID_MAX_BYTES: Final = 64 << 10
_WRITABLE_BY_OTHERS: Final = 0o022


def top(folder: Path) -> None:
    """Makes the directory of a data server, or takes back one that was the server's own: it is root's, others pass through it only.

    Raises: Unavailable, as `hand`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _given(folder, 0, 0, 0o711, follow=os.path.lexists(folder) and os.lstat(folder).st_uid == 0)


def hand(folder: Path, uid: int, gid: int, mode: int) -> None:
    """Makes a directory, or takes the one that is there, and gives it to a user; what is in it stays as it is.

    Raises: Unavailable when it is no directory but, say, a link, or others than root may replace it.
    """
    _given(folder, uid, gid, mode, follow=False)


def read(folder: Path, name: str) -> str | None:
    """A plain file that belongs to whom its directory does; None when there is none."""
    with contextlib.suppress(OSError), _opened(folder) as inside:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=inside)
        with open(file, "rb") as reading:
            found = os.fstat(file)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.fstat(inside).st_uid:
                return reading.read(_READ_MAX_BYTES).decode(errors="replace")
    return None


def write(folder: Path, name: str, text: str, *, group: int | None = None, mode: int = 0o600) -> None:
    """Writes a file, all or nothing; it belongs to whom its directory does, and to `group` if there is one. Raises: Unavailable."""
    new = f"{name}.new"
    try:
        with _opened(folder) as inside:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new, dir_fd=inside)
            owner = os.fstat(inside)
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=inside)
            with open(file, "w", encoding="utf-8") as writing:
                writing.write(text)
                os.fchown(file, owner.st_uid, owner.st_gid if group is None else group)
                os.fchmod(file, mode)
            os.replace(new, name, src_dir_fd=inside, dst_dir_fd=inside)
    except OSError as error:
        raise Unavailable(f"`{folder / name}` could not be written ({error.strerror}); look at what is there.") from error


def remove(folder: Path, name: str) -> None:
    """Takes a file away, or a link itself. Nothing when there is none. Raises: OSError."""
    with contextlib.suppress(FileNotFoundError), _opened(folder) as inside:
        os.unlink(name, dir_fd=inside)


def fresh(path: Path) -> BinaryIO:
    """A new file in a directory of root's, for what a program says; whatever had the name is gone."""
    path.unlink(missing_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")


def said(path: Path) -> list[str]:
    """The last lines of such a file; none when there is none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as log:
            log.seek(max(os.fstat(log.fileno()).st_size - _SAID_MAX_BYTES, 0))
            return log.read(_SAID_MAX_BYTES).decode(errors="replace").strip().splitlines()
    except OSError:
        return []


@contextmanager
def held_socket(path: Path) -> Iterator[Path]:
    """A socket that belongs to whom its directory does, by a path that keeps leading to it. Raises: OSError when it is not there."""
    with _opened(path.parent) as inside:
        file = os.open(path.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
        try:
            found = os.fstat(file)
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.fstat(inside).st_uid:
                raise FileNotFoundError(f"{path} is no socket of its directory's owner")
            yield Path(f"/proc/self/fd/{file}")
        finally:
            os.close(file)


def used_bytes(root: Path) -> int:
    """What a directory and all below it take on disk; 0 when there is none."""
    total = 0
    with contextlib.suppress(OSError):
        for _, _, names, inside in os.fwalk(root):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.stat(name, dir_fd=inside, follow_symlinks=False).st_blocks * 512
    return total


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    inside = os.open(folder, _DIRECTORY | os.O_NOFOLLOW)
    try:
        yield inside
    finally:
        os.close(inside)


def _given(folder: Path, uid: int, gid: int, mode: int, *, follow: bool) -> None:
    try:
        above = os.open(folder.parent, _DIRECTORY)
        try:
            owner = os.fstat(above)
            if owner.st_uid != 0 or owner.st_mode & _WRITABLE_BY_OTHERS:
                raise Unavailable(f"`{folder.parent}` is not root's alone; the agent makes no data server there.")
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder.name, 0o700, dir_fd=above)
            inside = os.open(folder.name, _DIRECTORY | (0 if follow else os.O_NOFOLLOW), dir_fd=above)
        finally:
            os.close(above)
        try:
            os.fchown(inside, uid, gid)
            os.fchmod(inside, mode)
        finally:
            os.close(inside)
    except OSError as error:
        raise Unavailable(f"`{folder}` is no directory that a data server could have ({error.strerror}).") from error
