"""The router's own certificate, looked after by a process that ends: what makes certificates would stay with 10 MiB (decisions/0110)."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

_AUTHORITY = "senryu.routers.private_authority"
_TIMEOUT_S = 30.0
_LOOK_AGAIN_S = 3600.0
_NAMES_MAX = 1000


def names_for(domain: str, hosts: Iterable[str]) -> tuple[str, ...]:
    """The names in the router's certificate. Clients do not accept `*.localhost`, so hosts under a domain of one label are named."""
    named = sorted(host for host in hosts if "." not in domain and host.endswith(f".{domain}") and "*" not in host)
    platform = [f"{name}.{domain}" for name in ("api", "git", "dashboard", "objects")]
    return tuple(dict.fromkeys(["localhost", domain, f"*.{domain}", *platform, *named[:_NAMES_MAX]]))


def ensure_apart(folder: Path, names: Sequence[str]) -> bool:
    """See private_authority.ensure_certificates. Blocks for a tenth of a second, 30 s at most. Raises OSError."""
    asked = [sys.executable, "-I", "-m", _AUTHORITY, str(folder)]
    try:
        done = subprocess.run(asked, input="\n".join(names), capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise OSError(errno.ETIMEDOUT, "the router's certificate was not made in time", str(folder)) from None
    if done.returncode == 0:
        return done.stdout.strip() == "new"
    number, _, reason = done.stdout.strip().partition(" ")
    if number.isdigit():
        raise OSError(int(number), reason, str(folder))
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    raise OSError(errno.EIO, f"the router's certificate could not be made: {lines[-1]}", str(folder))


class OwnCertificate:
    """Keeps the certificate good, and remembers that it is: nobody is asked again for the same names and files within the hour."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: frozenset[str] = frozenset()
        self._files: tuple[tuple[int, int], ...] = ()
        self._look_again_at = 0.0

    def ensure(self, names: Sequence[str]) -> bool:
        """Gives True when there is a new one. Blocks. Raises OSError."""
        if self._names.issuperset(names) and self._files == self._found() and monotonic() < self._look_again_at:
            return False
        is_new = ensure_apart(self._folder, names)
        self._names, self._files, self._look_again_at = frozenset(names), self._found(), monotonic() + _LOOK_AGAIN_S
        return is_new

    def _found(self) -> tuple[tuple[int, int], ...]:
        """What tells these files from any that took their place; nothing when one is missing."""
        try:
            kept = [(self._folder / name).stat() for name in ("ca.pem", "ca.key", "certs/default.pem")]
        except FileNotFoundError:
            return ()
        return tuple((file.st_ino, file.st_mtime_ns) for file in kept)
