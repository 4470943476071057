"""Imports a stack: a directory, a tarball or an OCI image becomes the root of the dynos that ask for it by name."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from senryu.core.errors import Invalid, Unavailable

from . import order
from .home import Home
from .stack import HOST

IMPORT_TIMEOUT_S = 600.0
# As skopeo names them (containers-transports(5)); a plain `debian:12` is an image of a registry.
_TRANSPORTS = ("docker://", "oci:/", "oci-archive:/", "docker-archive:/")
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


def import_stack(name: str, source: str, home: Home) -> None:
    """Makes SENRYU_HOME/stacks/NAME/rootfs from `source`, replacing the stack of that name for dynos started from then on.

    Raises: Invalid when the name or source is not acceptable; Unavailable when a program for it is missing.
    """
    if not order.is_stack_name(name) or name == HOST:
        raise Invalid(f"`{name}` cannot name a stack: use lower-case letters, digits, dots and dashes, and not `{HOST}`.")
    place = home.stacks / name
    with TemporaryDirectory(dir=home.stacks, prefix=".importing-") as directory:
        rootfs = Path(directory) / "rootfs"
        rootfs.mkdir(mode=0o755)
        _fill(rootfs, source, Path(directory))
        if not (rootfs / "bin/bash").exists() and not (rootfs / "usr/bin/bash").exists():
            raise Invalid(f"`{source}` cannot be a stack: it has no /bin/bash.")
        _swap(rootfs, place)


def _fill(rootfs: Path, source: str, scratch: Path) -> None:
    if source.startswith("/"):
        path = Path(source)
        if path.is_dir():
            _run(["cp", "--archive", "--one-file-system", "--", f"{path}/.", str(rootfs)], source)
        elif path.is_file():
            _run(["tar", "-x", "--numeric-owner", "-p", "-C", str(rootfs), "-f", str(path)], source)
        else:
            raise Invalid(f"`{source}` is neither a directory nor a tarball the agent can read.")
    else:
        _fill_from_image(rootfs, source, scratch)


def _fill_from_image(rootfs: Path, source: str, scratch: Path) -> None:
    for program in ("skopeo", "umoci"):
        if shutil.which(program, path=_ENV["PATH"]) is None:
            raise Unavailable(f"`{program}` is needed to import an OCI image; install the package {program}, or give a tarball.")
    if source.startswith("-") or any(character.isspace() for character in source):
        raise Invalid(f"`{source}` is not an image reference.")
    reference = source if source.startswith(_TRANSPORTS) else f"docker://{source}"
    layout = scratch / "image"
    _run(["skopeo", "copy", "--quiet", reference, f"oci:{layout}:stack"], source)
    _run(["umoci", "raw", "unpack", "--image", f"{layout}:stack", str(scratch / "unpacked")], source)
    rootfs.rmdir()
    os.rename(scratch / "unpacked", rootfs)


def _swap(rootfs: Path, place: Path) -> None:
    os.sync()  # a name that outlives a power cut must not lead to files that did not
    place.mkdir(mode=0o755, exist_ok=True)
    former = rootfs.with_name("former")
    if (place / "rootfs").exists():
        os.rename(place / "rootfs", former)  # dynos that run keep it mounted; its files go with the temporary directory
    os.rename(rootfs, place / "rootfs")


def _run(command: list[str], source: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=_ENV, timeout=IMPORT_TIMEOUT_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"`{source}` could not be imported within {IMPORT_TIMEOUT_S:.0f} seconds.") from None
    if done.returncode != 0:
        raise Invalid(f"`{source}` could not be imported: {done.stderr.strip()[:300]}")
