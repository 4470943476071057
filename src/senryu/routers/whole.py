"""Writing a file so that whoever reads it finds the old one or the new one, never a part."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_FILE = 0o660  # senryud and HAProxy are different users of one group
_ALONE_TIMEOUT_S = 10.0
_LOOK_S = 0.01


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else who asks for it writes in the folder meanwhile: senryud and who prepares the router's start do at the same time.

    A writer that is killed lets go of it. Blocks. Raises: OSError after 10 s.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _ALONE_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, "another process keeps writing there", str(folder)) from None
                time.sleep(_LOOK_S)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str, mode: int = SHARED_FILE) -> None:
    """Replaces a file in one step; it is on disk before it has its name, and has its mode before it has content.

    Does nothing when it says the same already. Blocks. Raises OSError.
    """
    if path.exists() and path.read_text() == text:
        return
    with alone(path.parent):
        put(path, text.encode(), mode)


def put(path: Path, content: bytes, mode: int) -> None:
    """The writing of it, for who is alone there. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    new.rename(path)
