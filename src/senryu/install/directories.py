"""The home's directories. The home itself and what root executes from it belong to root: else `senryu` could become root by renaming."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from ..config import Settings
from ..core.errors import Invalid
from .services import ROUTER_USER, USER

# name -> mode; group `senryu` is shared with the router's user
_OWNED = {
    "blobs": 0o2750,
    "builds": 0o2750,
    "cache": 0o2750,
    "db": 0o700,
    "logs": 0o700,
    "repos": 0o700,
    "router": 0o2770,
    "run": 0o2770,
    "secrets": 0o700,
    "streams": 0o700,
    "tls": 0o2755,
}


def make_directories(settings: Settings) -> None:
    """Makes what is missing and sets owners. Raises: Invalid when the users are not there yet, PermissionError unless root."""
    for user in (USER, ROUTER_USER):
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise Invalid(f"There is no user `{user}` on this machine; make it with `useradd --system {user}`.") from None
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    for name, mode in _OWNED.items():
        path = home / name
        path.mkdir(exist_ok=True)
        shutil.chown(path, USER, USER)
        path.chmod(mode)
    (home / "services").mkdir(exist_ok=True)
    _tools(home)


def _tools(home: Path) -> None:
    """Programs that builds may use: `uv`, as this installation pins it."""
    import uv

    tools = home / "tools" / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    found, wanted = Path(uv.find_uv_bin()), tools / "uv"
    if wanted.exists() and wanted.stat().st_size == found.stat().st_size:
        return
    fresh = wanted.with_suffix(".new")
    shutil.copyfile(found, fresh)
    fresh.chmod(0o755)
    os.replace(fresh, wanted)
