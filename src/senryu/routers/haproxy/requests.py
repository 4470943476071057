"""Reads HAProxy's request log as it grows and gives consumed space back to the disk.

The file is only ever appended to, so a byte offset names a line for good; consumed blocks become a hole, so it never grows on disk.
Should the file be replaced, a new run begins: positions are `run << 44 | offset` and go on rising.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from time import monotonic

import msgspec
from asyncinotify import Inotify, Mask

from senryu.core import limits
from senryu.core.route import RequestLine
from senryu.routers.haproxy.request_log import request_line
from senryu.routers.whole import write_whole

_OFFSET_BITS = 44
_OFFSET = (1 << _OFFSET_BITS) - 1
_BATCH_BYTES = 256 * limits.KIB
_FULL_BYTES = _BATCH_BYTES // 2  # the longest line is shorter than the rest
_BLOCK_BYTES = 4 * limits.KIB
_LOOK_AGAIN_S = 1.0  # in case an event was missed
_LOOK_EVERY_S = 0.05  # at most: a look costs as much as a hundred lines, and lines that come one by one would each be a look's whole find
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_libc = ctypes.CDLL(None, use_errno=True)


class Run(msgspec.Struct, frozen=True):
    """Which file the log was when positions were last given out."""

    inode: int
    number: int


async def request_lines(log: Path, run_file: Path, after: int) -> AsyncGenerator[list[RequestLine], None]:
    """Batches of requests after a position, for ever. Asking for the next batch says that the last one is safe."""
    position, given_back = after, -1
    with Inotify() as inotify:
        inotify.add_watch(log.parent, Mask.MODIFY | Mask.CREATE | Mask.MOVED_TO)
        while True:
            next_look = monotonic() + _LOOK_EVERY_S
            start, lines, position = await asyncio.to_thread(_next_batch, log, run_file, position)
            if lines:
                yield lines
            if position - given_back >= _BATCH_BYTES or given_back < 0 < position:
                await asyncio.to_thread(_give_back, log, position & _OFFSET)
                given_back = position
            if position - start >= _FULL_BYTES:
                continue
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):  # not wait_for: it may lose a cancellation
                    await inotify.get()
            except TimeoutError:
                pass
            await asyncio.sleep(next_look - monotonic())


def _next_batch(log: Path, run_file: Path, after: int) -> tuple[int, list[RequestLine], int]:
    """Where reading began, the whole lines found there, and the position behind them."""
    try:
        descriptor = os.open(log, os.O_RDONLY)
    except FileNotFoundError:
        return after, [], after
    try:
        start = _where(os.fstat(descriptor), run_file, after)
        offset = _first_byte(descriptor, start & _OFFSET)
        content = os.pread(descriptor, _BATCH_BYTES, offset)
    finally:
        os.close(descriptor)
    run = start & ~_OFFSET
    whole, newline, _ = content.rpartition(b"\n")
    if not newline:
        return run | offset, [], run | (offset + len(content) if len(content) == _BATCH_BYTES else offset)
    lines, end = [], offset
    for raw in whole.split(b"\n"):
        end += len(raw) + 1
        line = request_line(raw.lstrip(b"\0"), run | end)
        if line is not None:
            lines.append(line)
    return start, lines, run | end


def _where(stat: os.stat_result, run_file: Path, after: int) -> int:
    """The position to read from: `after`, or the start of a new run when the file is not the one that `after` was in."""
    known = msgspec.json.decode(run_file.read_bytes(), type=Run) if run_file.exists() else Run(inode=-1, number=0)
    number, offset = after >> _OFFSET_BITS, after & _OFFSET
    was_truncated = number == known.number and stat.st_size < offset
    if known.inode != stat.st_ino or was_truncated or number > known.number:
        known = Run(inode=stat.st_ino, number=max(number, known.number) + 1)
        write_whole(run_file, msgspec.json.encode(known).decode())
    return after if number == known.number else known.number << _OFFSET_BITS


def _first_byte(descriptor: int, offset: int) -> int:
    """Past a hole that was made already."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError:
        return offset


def _give_back(log: Path, end: int) -> None:
    """Makes a hole of everything before `end`, down to whole blocks. A file system that cannot do it keeps the bytes."""
    length = end // _BLOCK_BYTES * _BLOCK_BYTES
    if not length:
        return
    descriptor = os.open(log, os.O_WRONLY)
    try:
        _libc.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, ctypes.c_int64(0), ctypes.c_int64(length))
    finally:
        os.close(descriptor)
