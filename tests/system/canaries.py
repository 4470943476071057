"""Looking for secrets: in files down to the raw bytes, in arguments and environments of processes, in answers."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

DYNO_UIDS_FROM = 2_000_000
_CHUNK = 1 << 20
_SKIPPED = {"venv", "stacks"}  # the program itself, and what an operator imported


def needles(secrets: Mapping[str, str]) -> dict[bytes, str]:
    """Every form in which a secret may stand somewhere, with the name of the secret."""
    found: dict[bytes, str] = {}
    for name, secret in secrets.items():
        raw = secret.encode()
        found[raw] = name
        found[urllib.parse.quote(secret, safe="").encode()] = name
        # Base64 of a text that has the secret at any of the three offsets, without the ends, which depend on what is around it.
        for before in range(3):
            found[base64.b64encode(b"x" * before + raw)[4 if before else 0 : -4].strip(b"=")] = name
    return found


def in_bytes(content: bytes, sought: Mapping[bytes, str]) -> set[str]:
    """The names of the secrets that are in it."""
    return {name for needle, name in sought.items() if needle in content}


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data: sparse images of dynos are holes nearly everywhere."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, at


def in_file(path: Path, sought: Mapping[bytes, str]) -> set[str]:
    """The names of the secrets in a file; empty when it is gone."""
    found: set[str] = set()
    overlap = max(map(len, sought)) - 1
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        for begin, end in _extents(file.fileno(), os.fstat(file.fileno()).st_size):
            tail = b""
            for at in range(begin, end, _CHUNK):
                chunk = tail + os.pread(file.fileno(), min(_CHUNK, end - at), at)
                found |= in_bytes(chunk, sought)
                tail = chunk[-overlap:]
    return found


def in_tree(root: Path, sought: Mapping[bytes, str]) -> set[str]:
    """`path: secret (owner, mode)` for every file below `root` that has one, for names of files, and for git's settings."""
    found: set[str] = set()
    for folder, directories, files in os.walk(root):
        directories[:] = [each for each in directories if each not in _SKIPPED or Path(folder) != root]
        for file in files:
            path = Path(folder) / file
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    names = in_file(path, sought) | in_bytes(os.fsencode(path), sought)
                    found |= {f"{path.relative_to(root)}: {name} (uid {status.st_uid}, {stat.S_IMODE(status.st_mode):o})" for name in names}
    return found


class Watch:
    """While it lasts, looks at the arguments of every process of the machine, and at the environments of those that are no dyno's."""

    def __init__(self, sought: Mapping[bytes, str]) -> None:
        self._sought = sought
        self.found: set[str] = set()
        self.looks = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(30)

    def _keep_looking(self) -> None:
        while not self._is_over.wait(0.02):
            self.looks += 1
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self._look(process)

    def _look(self, process: Path) -> None:
        arguments = (process / "cmdline").read_bytes()
        for name in in_bytes(arguments, self._sought):
            self.found.add(f"arguments of {arguments[:60]!r}: {name}")


def in_environments(home: Path, sought: Mapping[bytes, str]) -> set[str]:
    """The environments of the platform's own processes: those that name its home and run as no dyno."""
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes()
            if process.stat().st_uid < DYNO_UIDS_FROM and str(home).encode() in arguments:
                names = in_bytes((process / "environ").read_bytes(), sought)
                found |= {f"environment of {arguments[:80]!r}: {name}" for name in names}
    return found


def in_dynos(sought: Mapping[bytes, str]) -> set[str]:
    """The secrets in environments of dynos: there they belong, and that they are there shows that the search would find them."""
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid >= DYNO_UIDS_FROM:
                found |= in_bytes((process / "environ").read_bytes(), sought)
    return found
