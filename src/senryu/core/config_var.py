"""Config vars: an app's settings, given to its dynos as environment.

Source: https://devcenter.heroku.com/articles/config-vars, schema `config-var`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import Invalid
from .limits import CONFIG_VAR_KEY_MAX_CHARS, CONFIG_VARS_MAX_BYTES

ConfigVars = Mapping[str, str]

_KEY = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\Z")
# The loader and shell read these before our own code runs in a dyno; as config vars they would only break it.
_REFUSED = frozenset({"PORT", "DYNO", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4", "LD_PRELOAD", "LD_AUDIT"})


def checked_key(key: str) -> str:
    """A key that may be set. Raises: Invalid."""
    if not _KEY.match(key) or key.startswith("__") or len(key) > CONFIG_VAR_KEY_MAX_CHARS:
        raise Invalid(f"`{key[:80]}` is no config var name; use letters, digits and underscores, not starting with a digit or `__`.")
    if key in _REFUSED:
        raise Invalid(f"`{key}` is set by the platform in every dyno; choose another name.")
    return key


def changed(config: ConfigVars, changes: Mapping[str, str | None]) -> dict[str, str]:
    """The config vars after `changes`; None takes one away.

    Raises: Invalid for a bad key, a NUL byte, or more than 64 KB of keys and values.
    """
    after = dict(config)
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
            continue
        checked_key(key)
        if "\0" in value:
            raise Invalid(f"The value of `{key}` has a NUL byte, which no environment can hold; remove it.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Invalid(f"The value of `{key}` is not valid UTF-8 text.") from None
        after[key] = value
    size = sum(len(key.encode()) + len(value.encode()) for key, value in after.items())
    if size > CONFIG_VARS_MAX_BYTES:
        raise Invalid(f"Config vars would be {size} bytes; an app may have {CONFIG_VARS_MAX_BYTES} in all. Shorten or remove some.")
    return after


def change_description(before: ConfigVars, after: ConfigVars) -> str | None:
    """What the release says, names only: `Set FOO, BAR config vars`; None when nothing differs."""
    set_keys = [key for key in after if before.get(key) != after[key]]
    removed = [key for key in before if key not in after]
    if set_keys:
        return f"Set {', '.join(set_keys)} config vars"
    if removed:
        return f"Remove {', '.join(removed)} config vars"
    return None
