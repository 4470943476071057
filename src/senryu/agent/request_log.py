"""The router's request log, held within bounds while senryud, which reads it and gives back what was read, is away or behind.

HAProxy writes on at its own offset, so nothing is cut off or renamed: the oldest part becomes a hole.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import stat
import sys
from pathlib import Path
from typing import Final

from . import mounts

MAX_BYTES: Final = 64 << 20
LOOK_EVERY_S: Final = 5.0
_PATH: Final = "router/requests.log"
_BLOCK_BYTES: Final = 4096
_CHUNK_BYTES: Final = 1 << 20
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_libc = ctypes.CDLL(None, use_errno=True)


async def keep_bounded(root: Path) -> None:
    """Looks every LOOK_EVERY_S seconds, for ever; what is dropped is counted on stderr. `root` is SENRYU_HOME."""
    while True:
        try:
            if dropped := await asyncio.to_thread(bound, root, MAX_BYTES):
                message = f"senryu-agent: {dropped} lines of the router's request log were dropped, as nobody read them in time"
                print(message, file=sys.stderr, flush=True)
        except OSError as error:
            print(f"senryu-agent: the router's request log cannot be bounded: {error.strerror}", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_EVERY_S)


def bound(root: Path, max_bytes: int) -> int:
    """Makes a hole of the oldest bytes when the log takes more than `max_bytes`: half of them stay. Gives how many lines went.

    The directory is not root's: only a plain file of somebody else than root is touched. Raises: OSError.
    """
    try:
        log = mounts.open_beneath(root, _PATH, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0
    try:
        found = os.fstat(log)
        if not stat.S_ISREG(found.st_mode) or found.st_uid == 0 or found.st_nlink != 1 or found.st_blocks * 512 <= max_bytes:
            return 0
        end = (found.st_size - max_bytes // 2) // _BLOCK_BYTES * _BLOCK_BYTES
        lines = _lines(log, os.lseek(log, 0, os.SEEK_DATA), end)
        if _libc.fallocate(log, _KEEP_SIZE | _PUNCH_HOLE, ctypes.c_int64(0), ctypes.c_int64(end)) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return lines
    finally:
        os.close(log)


def _lines(log: int, start: int, end: int) -> int:
    count = 0
    while start < end and (chunk := os.pread(log, min(_CHUNK_BYTES, end - start), start)):
        count += chunk.count(b"\n")
        start += len(chunk)
    return count
