"""Keys of objects, and the sentences every store says the same way."""

from __future__ import annotations

import re

from senryu.core.errors import Invalid, NotFound, Unavailable

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}){1,7}")


def checked(key: str) -> str:
    """The key itself: two to eight names joined by `/`, none of which starts with a dot. Raises: Invalid for anything else."""
    if _KEY.fullmatch(key) is None:
        raise Invalid(f"`{key[:80]!a}` cannot name a stored object; use names of letters, digits, `-`, `_` and `.` joined by `/`.")
    return key


def too_large(max_bytes: int) -> Invalid:
    """Says that an object is above its limit."""
    return Invalid(f"What was sent is larger than the {_readable(max_bytes)} allowed; leave large files out of it.", id="too_large")


def missing(key: str) -> NotFound:
    """Says that there is no such object."""
    return NotFound(f"There is no stored object `{key}`; it was deleted or never uploaded.")


def disk_failure(error: OSError) -> Unavailable:
    """Says that the disk did not take an object."""
    return Unavailable(
        f"The platform could not store what was sent ({error.strerror or 'disk failure'});"
        " its operator must free disk space, then try again."
    )


def _readable(size_bytes: int) -> str:
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size_bytes >= factor:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} bytes"
