"""What the system refused, as a sentence for whoever asked."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from senryu.core.errors import Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_BELOW_BYTES = 4 << 20
_ADVICE = "the platform's operator must free disk space"


def is_disk_full(place: Path) -> bool:
    """Whether the disk of a directory has next to no room left."""
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES or (disk.f_files > 0 and disk.f_favail == 0)


def disk_full(what: str) -> Unavailable:
    """Says what could not be done for want of space: `The slug could not be unpacked`."""
    return Unavailable(f"{what} (No space left on device); {_ADVICE}.")


def unavailable(what: str, error: OSError) -> Unavailable:
    """Says what could not be done because of a refused system call."""
    if error.errno in _FULL:
        return disk_full(what)
    return Unavailable(f"{what} ({error.strerror or type(error).__name__}); try again.")


@contextmanager
def told(what: str) -> Iterator[None]:
    """Inside, a refused system call is Unavailable, with what could not be done: `The dyno could not be started`."""
    try:
        yield
    except OSError as error:
        raise unavailable(what, error) from error
