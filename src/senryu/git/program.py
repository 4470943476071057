"""A git program under way: started with limits, fed from a request, ended for certain."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import zlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

from senryu.core import limits
from senryu.core.errors import BadRequest, Invalid, Unavailable
from senryu.core.limits import GIT_MEMORY_MAX_BYTES, GIT_STALL_TIMEOUT_S

_CHUNK_BYTES = 64 * 1024
_END_GRACE_S = 10.0


@asynccontextmanager
async def started(
    command: Sequence[str], environment: Mapping[str, str], *, file_max_bytes: int, descriptors: tuple[int, ...] = ()
) -> AsyncIterator[Process]:
    """A git program with its stdin and stdout piped; nothing of it runs any more on leaving. Raises: Unavailable when it cannot start."""
    try:
        program = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
            pass_fds=descriptors, start_new_session=True, limit=_CHUNK_BYTES,
        )  # fmt: skip
    except OSError as error:
        raise Unavailable(f"git could not be started ({error.strerror}); the platform's operator must check the machine.") from error
    try:
        _bound(program.pid, file_max_bytes)
        yield program
    finally:
        await _end(program)


def _bound(pid: int, file_max_bytes: int) -> None:
    try:
        bounds = (
            (resource.RLIMIT_AS, GIT_MEMORY_MAX_BYTES),
            (resource.RLIMIT_FSIZE, file_max_bytes),
            (resource.RLIMIT_CPU, limits.GIT_CPU_MAX_S),
        )
        for limit, size in bounds:
            resource.prlimit(pid, limit, (size, size))
    except ProcessLookupError:
        pass


async def _end(program: Process) -> None:
    """Asks git to go, then insists. Its children are in its process group."""
    if program.stdin:
        program.stdin.close()
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(program.pid, sign)
        except ProcessLookupError:
            pass
        try:
            async with asyncio.timeout(_END_GRACE_S):
                # asyncio takes a program for ended only when its output is read to the end.
                async for _ in output(program):
                    pass
                await program.wait()
            return
        except TimeoutError:
            continue


async def feed(program: Process, chunks: AsyncIterator[bytes]) -> None:
    """Gives a program its whole input. What it no longer wants is read and thrown away, so that the client gets to hear why."""
    assert program.stdin is not None
    is_wanted = True
    async for chunk in chunks:
        if not is_wanted:
            continue
        program.stdin.write(chunk)
        try:
            async with asyncio.timeout(GIT_STALL_TIMEOUT_S):
                await program.stdin.drain()
        except (ConnectionError, TimeoutError):
            is_wanted = False
    program.stdin.close()


async def output(program: Process) -> AsyncIterator[bytes]:
    """What a program writes, until it closes its output."""
    assert program.stdout is not None
    while chunk := await program.stdout.read(_CHUNK_BYTES):
        yield chunk


async def steady(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks; a sender silent for limits.GIT_STALL_TIMEOUT_S is given up. Raises: BadRequest."""
    while True:
        try:
            async with asyncio.timeout(GIT_STALL_TIMEOUT_S):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BadRequest(f"git sent nothing for {GIT_STALL_TIMEOUT_S:.0f} s; check your connection and push again.") from None
        yield chunk


async def unpacked(chunks: AsyncIterator[bytes], encoding: str, *, max_bytes: int) -> AsyncIterator[bytes]:
    """A request's body without its Content-Encoding, in small pieces however much it was compressed.

    Raises: BadRequest for another encoding or damaged content; Invalid above `max_bytes`.
    """
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise BadRequest(f"The content encoding `{encoding[:40]!a}` is not understood; use gzip or none.")
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if "gzip" in encoding else None
    size = 0
    async for chunk in chunks:
        for piece in _pieces(unzip, chunk) if unzip else (chunk,):
            size += len(piece)
            if size > max_bytes:
                raise too_large(max_bytes)
            if piece:
                yield piece
    if unzip and not unzip.eof:
        raise BadRequest("The compressed request ends too early; try again.")


def _pieces(unzip: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    while not unzip.eof:
        try:
            piece = unzip.decompress(chunk, _CHUNK_BYTES)
        except zlib.error:
            raise BadRequest("The compressed request is damaged; try again.") from None
        yield piece
        chunk = unzip.unconsumed_tail
        if not chunk and len(piece) < _CHUNK_BYTES:
            return


def too_large(max_bytes: int) -> Invalid:
    """Says that a push or a fetch is above its limit."""
    return Invalid(f"The push is larger than the {max_bytes // 1024**2} MB allowed; take large files out of its history.", id="too_large")
