"""Procfiles: which process types an app has and the command of each.

Source: https://devcenter.heroku.com/articles/procfile
"""

from __future__ import annotations

import re

from .errors import Invalid
from .limits import PROCESS_TYPES_MAX, PROCFILE_MAX_BYTES

_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(\S.*)\Z")
_NAME_MAX_CHARS = 63


def parse(content: bytes) -> dict[str, str]:
    """Process types and their commands, in the order they are written.

    Takes: the file's bytes; CRLF and a byte order mark are tolerated, blank lines and `#` comments ignored.
    Raises: Invalid, naming the line, when it is too large, not UTF-8, or has lines that are no `name: command`.
    """
    if len(content) > PROCFILE_MAX_BYTES:
        raise Invalid(f"Procfile is larger than {PROCFILE_MAX_BYTES // 1024} KB; shorten it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("Procfile is not UTF-8 text; save it as UTF-8.") from None
    types: dict[str, str] = {}
    # Not splitlines(): it also ends lines at U+2028 and its like, which a command may hold.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line.strip())
        if found is None or "\0" in line or len(found[1]) > _NAME_MAX_CHARS:
            raise Invalid(f"Procfile line {number} is not `name: command`, for example `web: python app.py`.")
        types[found[1]] = found[2]
    if len(types) > PROCESS_TYPES_MAX:
        raise Invalid(f"Procfile names {len(types)} process types; at most {PROCESS_TYPES_MAX} are allowed.")
    return types
