"""Throw-away disks: a sparse file with a file system of a fixed size, on a loop device, for one dyno.

The file is unlinked as soon as it is mounted and the loop device frees itself with the last mount, so that a disk ends with its dyno
(one that waits for its dyno: with the agent) whatever happens. Source: loop(4), mkfs.ext4(8).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import struct
import subprocess
import threading
from collections import deque
from pathlib import Path

from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S, DYNO_DISK_BYTES

from . import failure, mounts

_LOOP_CONFIGURE, _LOOP_CTL_GET_FREE = 0x4C0A, 0x4C82
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_CONFIG = struct.Struct("=II QQQQQ IIII 64s 64s 32s QQ 8Q")
_READY = 4
_BYTES_PER_INODE = 8192
_FEATURES = "^has_journal,^resize_inode"
_EXTENDED = "lazy_itable_init=1,nodiscard"


class Disks:
    """Makes disks, a few of the common size ahead of time, of which the next one is mounted already. Safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ready: deque[Path] = deque()
        self._mounted: deque[int] = deque()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._refilling = threading.Lock()
        for left in directory.iterdir():
            left.unlink()

    def mount(self, size_bytes: int, target: Path) -> None:
        """An empty file system of `size_bytes` at `target`, owned by root. Raises: Unavailable."""
        disk = self._next(size_bytes)
        try:
            mounts.attach(disk, target)
        except OSError as error:
            raise _failed(error) from error
        finally:
            os.close(disk)

    def refill(self) -> None:
        """Makes disks of the common size until enough are ready; nothing when somebody is at it. Raises: Unavailable."""
        if not self._refilling.acquire(blocking=False):
            return
        try:
            while len(self._ready) < _READY:
                self._ready.append(self._made(DYNO_DISK_BYTES))
            if not self._mounted:
                self._mounted.append(_mounted(self._take(DYNO_DISK_BYTES)))
        finally:
            self._refilling.release()

    def close(self) -> None:
        """Gives back what is mounted for no dyno."""
        while self._mounted:
            os.close(self._mounted.popleft())

    def _next(self, size_bytes: int) -> int:
        if size_bytes == DYNO_DISK_BYTES:
            with contextlib.suppress(IndexError):
                return self._mounted.popleft()
        return _mounted(self._take(size_bytes))

    def _take(self, size_bytes: int) -> Path:
        if size_bytes == DYNO_DISK_BYTES:
            with contextlib.suppress(IndexError):
                return self._ready.popleft()
        return self._made(size_bytes)

    def _made(self, size_bytes: int) -> Path:
        with self._lock:
            image = self._directory / f"{next(self._numbers)}.img"
        with open(image, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.truncate(size_bytes)
        command = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-i", str(_BYTES_PER_INODE), "-O", _FEATURES, "-E", _EXTENDED]
        done = subprocess.run([*command, str(image)], capture_output=True, text=True, timeout=AGENT_TIMEOUT_S)
        if done.returncode != 0:
            image.unlink()
            if failure.is_disk_full(self._directory):
                raise failure.disk_full("The disk of the dyno could not be made")
            raise Unavailable(f"The disk of the dyno could not be made: {done.stderr.strip()[:200]}")
        return image


def _mounted(image: Path) -> int:
    """The open mount of an image, whose file is gone then. Raises: Unavailable."""
    try:
        with open(image, "r+b") as file:
            return _mount_of(file.fileno())
    except OSError as error:
        raise _failed(error) from error
    finally:
        image.unlink()


def _failed(error: OSError) -> Unavailable:
    return Unavailable(f"The disk of the dyno could not be made: {error}.")


def _mount_of(image: int) -> int:
    for _ in range(64):
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
        finally:
            os.close(control)
        device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, _LOOP_CONFIGURE, _loop_config(image))
            return mounts.detached(f"/dev/loop{number}", "ext4", "discard")
        except OSError as error:
            if error.errno != errno.EBUSY:  # another one took the device between the two calls
                raise
        finally:
            os.close(device)
    raise OSError(errno.EBUSY, "no free loop device")


def _loop_config(image: int) -> bytes:
    numbers = (image, 4096, 0, 0, 0, 0, 0, 0, 0, 0, _LO_FLAGS_AUTOCLEAR)
    return _LOOP_CONFIG.pack(*numbers, b"senryu", b"", b"", 0, 0, *([0] * 8))
