"""Slugs, unpacked once for each machine and shared read-only by their dynos.

A slug's content is hostile: it is unpacked by GNU tar as a user of its own, in a sandbox that sees nothing but its target, counted and
bounded while it goes. Source: bwrap(1), setpriv(1), the tar manual; Dev Center, articles/slug-compiler.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from senryu.core.codes import R17
from senryu.core.errors import Invalid, Unavailable
from senryu.core.limits import GIB, SLUG_UNPACKED_MAX_BYTES, SLUG_UNPACKED_MAX_FILES

from . import ending, failure, mounts
from .home import Home

KEPT_MAX_BYTES = 20 * GIB
UNPACK_TIMEOUT_S = 120.0
_CHUNK_BYTES = 1 << 20
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
_SUFFIXES = (".tar.zst", ".tgz")
_UNWANTED = ["(", "-type", "p", "-o", "-type", "s", ")", "-delete", "-o", "-perm", "/6000", "-exec", "chmod", "ug-s", "{}", "+"]


@dataclass(slots=True)
class _Count:
    bytes: int = 0
    files: int = 0
    problem: str = ""


class Slugs:
    """The unpacked slugs of a home, owned by `uid`. Safe to use from several threads."""

    def __init__(self, home: Home, uid: int) -> None:
        self._home = home
        self._uid = uid
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        for left in home.slugs.glob("*.unpacking"):
            shutil.rmtree(left, ignore_errors=True)

    def unpacked(self, slug: str) -> Path:
        """The directory of a slug, unpacked now if it is not yet.

        Raises: Invalid when it is missing, damaged (R17) or too large when unpacked; Unavailable when the disk is full.
        """
        with self._locks[slug], failure.told("The slug could not be unpacked"):
            place = self._home.slugs / slug
            if place.is_dir():
                os.utime(place)
                return place
            new = self._home.slugs / f"{uuid4().hex}.unpacking"
            new.mkdir(mode=0o755)
            os.chown(new, self._uid, self._uid)
            try:
                size = self._unpack(slug, new)
                (self._home.slugs / f"{slug}.size").write_text(str(size))
                os.rename(new, place)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            return place

    def sweep(self, used: Collection[str]) -> None:
        """Deletes the slugs that were not used for longest until the rest is below KEPT_MAX_BYTES; never one in `used`."""
        kept = [(place.stat().st_mtime, place) for place in self._home.slugs.iterdir() if place.is_dir() and len(place.name) == 64]
        total = sum(self._size(place) for _, place in kept)
        for _, place in sorted(kept):
            if total <= KEPT_MAX_BYTES:
                return
            if place.name in used:
                continue
            with self._locks[place.name]:
                total -= self._size(place)
                shutil.rmtree(place, ignore_errors=True)
                self._size_file(place).unlink(missing_ok=True)

    def _size_file(self, place: Path) -> Path:
        return place.with_name(f"{place.name}.size")

    def _size(self, place: Path) -> int:
        size = self._size_file(place)
        return int(size.read_text()) if size.exists() else 0

    def _unpack(self, slug: str, target: Path) -> int:
        with ExitStack() as stack:
            archive = stack.enter_context(os.fdopen(self._open(slug), "rb"))
            magic = archive.read(4)
            archive.seek(0)
            if magic != _ZSTD and magic[:2] != _GZIP:
                raise Invalid(f"The slug {slug[:12]} is neither a zstd nor a gzip archive; build the app again.")
            digest, count = extract(archive, _decompressor(magic), target, self._uid)
            if digest != slug:
                raise Invalid(f"{R17} -> Checksum does match expected value. Expected: SHA256:{slug} Actual: SHA256:{digest}")
            if count.problem and failure.is_disk_full(target):
                raise failure.disk_full("The slug could not be unpacked")
            if count.problem:
                raise Invalid(f"The slug {slug[:12]} cannot be unpacked: {count.problem}.")
            return count.bytes

    def _open(self, slug: str) -> int:
        for suffix in _SUFFIXES:
            try:
                archive = mounts.open_beneath(self._home.root, f"blobs/slugs/{slug}{suffix}", os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                continue
            if stat.S_ISREG(os.fstat(archive).st_mode):  # senryud writes there; a pipe would be waited for
                return archive
            os.close(archive)
        raise Invalid(f"The slug {slug[:12]} is missing on this machine; build the app again.")


def _decompressor(magic: bytes) -> list[str]:
    return ["zstd", "-dcq"] if magic == _ZSTD else ["gzip", "-dcq"]


def extract(archive: IO[bytes], decompressor: list[str], target: Path, uid: int) -> tuple[str, _Count]:
    """Unpacks a tar `archive` into `target` as user `uid`. Gives the SHA-256 of what was read, and what was counted.

    `problem` of the count is a phrase when it was stopped or failed. Raises: Unavailable when the sandbox cannot be made.
    """
    count = _Count()
    tar = [
        "tar", "-x", "-v", "--quoting-style=escape", "--no-same-owner", "--no-same-permissions",
        "--delay-directory-restore", "-C", "/out", "-f", "-",
    ]  # fmt: skip
    with ExitStack() as stack:
        unpacker = _sandboxed(stack, tar, target, uid)
        inflater = _sandboxed(stack, decompressor or ["cat"], None, uid)
        checksum = _Checksum(stack)

        def stop(problem: str) -> None:
            count.problem = count.problem or problem
            inflater.kill()
            unpacker.kill()

        watchdog = threading.Timer(UNPACK_TIMEOUT_S, stop, ["it took too long"])
        watchdog.daemon = True
        watchdog.start()
        stack.callback(watchdog.cancel)
        threads = [
            threading.Thread(target=_feed, args=(archive, inflater.stdin, checksum), daemon=True),
            threading.Thread(target=_count_files, args=(unpacker.stdout, count, stop), daemon=True),
        ]
        for thread in threads:
            thread.start()
        _pump(inflater.stdout, unpacker.stdin, count, stop)
        for thread in threads:
            thread.join(UNPACK_TIMEOUT_S)
        statuses = ending.status(inflater, UNPACK_TIMEOUT_S), ending.status(unpacker, UNPACK_TIMEOUT_S)
        if any(statuses) and not count.problem:
            count.problem = "it is damaged or has entries that may not be in a slug"
        digest = checksum.text()
    if not count.problem:
        _clean(target, uid)
    return digest, count


def _clean(target: Path, uid: int) -> None:
    with ExitStack() as stack:
        cleaner = _sandboxed(stack, ["find", "/out", *_UNWANTED], target, uid)
        _close(cleaner.stdin)
        ending.status(cleaner, UNPACK_TIMEOUT_S)


class _Checksum:
    """The SHA-256 of what is added, by a program beside: the library would hold 4 MB in every agent."""

    def __init__(self, stack: ExitStack) -> None:
        self._program = subprocess.Popen(
            ["sha256sum"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}
        )
        stack.callback(_end, self._program)

    def add(self, chunk: bytes) -> None:
        """Takes more."""
        assert self._program.stdin is not None
        self._program.stdin.write(chunk)

    def text(self) -> str:
        """In hexadecimal."""
        said, _ = self._program.communicate(timeout=UNPACK_TIMEOUT_S)
        return said[:64].decode()


def _feed(source: IO[bytes], target: IO[bytes] | None, checksum: _Checksum) -> None:
    """Hashes all of `source` and hands it on as long as it is taken."""
    while chunk := source.read(_CHUNK_BYTES):
        checksum.add(chunk)
        if target is not None:
            try:
                target.write(chunk)
            except OSError:
                _close(target)
                target = None
    _close(target)


def _pump(source: IO[bytes] | None, target: IO[bytes] | None, count: _Count, stop: Callable[[str], None]) -> None:
    assert source is not None
    while chunk := os.read(source.fileno(), _CHUNK_BYTES):
        count.bytes += len(chunk)
        if count.bytes > SLUG_UNPACKED_MAX_BYTES:
            stop(f"it is over {SLUG_UNPACKED_MAX_BYTES // GIB} GB when unpacked")
        if target is not None:
            try:
                target.write(chunk)
            except OSError:
                _close(target)
                target = None
    _close(target)


def _count_files(names: IO[bytes] | None, count: _Count, stop: Callable[[str], None]) -> None:
    assert names is not None
    while chunk := os.read(names.fileno(), _CHUNK_BYTES):
        count.files += chunk.count(b"\n")
        if count.files > SLUG_UNPACKED_MAX_FILES:
            stop(f"it has over {SLUG_UNPACKED_MAX_FILES} files")


def _close(file: IO[bytes] | None) -> None:
    if file is not None:
        try:
            file.close()
        except OSError:
            pass  # the reader is gone; what was not taken is not wanted


def _sandboxed(stack: ExitStack, command: list[str], target: Path | None, uid: int) -> subprocess.Popen[bytes]:
    """Runs `command` as `uid` without network, capabilities or any file but /usr and `target` (as /out)."""
    sandbox = [
        "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent",
        "--new-session", "--as-pid-1",  # else bwrap leaves a dead process to the agent, three for each slug
        "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP",
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
        "--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "LC_ALL", "C.UTF-8",
        *(["--bind", str(target), "/out"] if target is not None else []),
        "--", "prlimit", f"--fsize={SLUG_UNPACKED_MAX_BYTES}", "--core=0", "--",
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--",
    ]  # fmt: skip
    try:
        started = subprocess.Popen(
            [*sandbox, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/usr/sbin"},
            umask=0o022,
        )
    except FileNotFoundError:
        raise Unavailable("bwrap is not installed on this machine; install the package bubblewrap.") from None
    stack.callback(_end, started)
    return started


def _end(started: subprocess.Popen[bytes]) -> None:
    for file in (started.stdin, started.stdout):
        _close(file)
    if started.poll() is None:
        started.kill()
    ending.status(started, UNPACK_TIMEOUT_S)
