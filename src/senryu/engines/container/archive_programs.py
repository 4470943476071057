"""The ArchivePrograms contract: the agent runs pg_dump and pg_restore, we feed them and read what they give."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from senryu.agent import protocol
from senryu.agent.wire import ready
from senryu.core.archive import ArchivePrograms, DatabaseAddress
from senryu.core.errors import Invalid, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S, MIB
from senryu.core.transfer import warnings_in

from . import client

_CHUNK_BYTES = MIB
_PIPE_BYTES = MIB
_F_SETPIPE_SZ = 1031
_ENTRIES_MAX_BYTES = protocol.REQUEST_MAX_BYTES - 64 * 1024
_LINE_MAX_BYTES = 64 * 1024
_LAST_WORDS = 5
_GATHERED_S = 0.01  # the programs take and give 4 KiB at a time: waking for each costs as much as pg_restore itself
_STALL_TIMEOUT_S = 2 * 3600.0  # of one index that is built, or one lock that is waited for


@dataclass
class _Program:
    """A program under way: the ends of its pipes that are ours, and its newest words."""

    talk: client.Conversation
    stdin: int
    stdout: int
    stderr: int
    words: list[str] = field(default_factory=list)
    listening: asyncio.Task[None] | None = None

    async def status(self) -> int:
        """Its exit status; all its words have been heard then."""
        answer = (await self.talk.reply(_STALL_TIMEOUT_S)).answer
        if not isinstance(answer, protocol.Exited):
            raise client.silent()
        if self.listening is not None:
            await asyncio.wait([self.listening], timeout=AGENT_TIMEOUT_S)
        return answer.status

    def hang_up(self, file: str) -> None:
        number = getattr(self, file)
        if number >= 0:
            setattr(self, file, -1)
            os.close(number)


class ContainerArchivePrograms:
    """Asks the agent of `home`."""

    def __init__(self, home: Path) -> None:
        self._socket = home / "run" / "agent.sock"

    async def dump(
        self, source: DatabaseAddress, extensions: Sequence[str] | None, said: Callable[[Sequence[str]], None]
    ) -> AsyncIterator[bytes]:
        """See ArchivePrograms."""
        request = protocol.RunArchiveProgram("dump", source, None if extensions is None else list(extensions))
        async with self._running(request, said) as program:
            while chunk := await _read(program.stdout, gathered_s=_GATHERED_S):
                yield chunk
            _check(await program.status(), program, "The backup failed")

    async def entries(self, archive: AsyncIterator[bytes]) -> str:
        """See ArchivePrograms."""
        async with self._running(protocol.RunArchiveProgram("entries"), _unheard) as program:
            feeding = asyncio.create_task(_feed(program, archive))
            try:
                listed = bytearray()
                while chunk := await _read(program.stdout):
                    listed += chunk
                    if len(listed) > _ENTRIES_MAX_BYTES:
                        return ""  # so many tables that all of it is restored, with a few warnings
                _check(await program.status(), program, "This is no archive of pg_dump's custom format")
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
        return listed.decode(errors="surrogateescape").encode(errors="replace").decode()

    async def restore(
        self, target: DatabaseAddress, archive: AsyncIterator[bytes], entries: str, said: Callable[[Sequence[str]], None], *, clean: bool
    ) -> int:
        """See ArchivePrograms."""
        request = protocol.RunArchiveProgram("restore", target, entries=entries, clean=clean)
        async with self._running(request, said) as program:
            await _feed(program, archive)
            status = await program.status()
        failed = warnings_in("\n".join(program.words))
        if status != 0 and not failed:
            _check(status, program, "The restore failed")
        return failed

    @asynccontextmanager
    async def _running(self, request: protocol.RunArchiveProgram, said: Callable[[Sequence[str]], None]) -> AsyncIterator[_Program]:
        with await client.begin(self._socket, request) as talk:
            reply = await talk.reply()
            if len(reply.files) != 3:
                client.close_all(reply.files)
                raise client.silent()
            program = _Program(talk, reply.files[0], reply.files[1], reply.files[2])
            for file in reply.files:
                os.set_blocking(file, False)
                with contextlib.suppress(OSError):
                    _enlarge(file)
            program.listening = listening = asyncio.create_task(_listen(program, said))
            try:
                yield program
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                for name in ("stdin", "stdout", "stderr"):
                    program.hang_up(name)


def _enlarge(file: int) -> None:
    fcntl.fcntl(file, _F_SETPIPE_SZ, _PIPE_BYTES)


def _unheard(_: Sequence[str]) -> None:
    """Nobody listens."""


async def _read(file: int, *, gathered_s: float = 0.0) -> bytes:
    """Up to a chunk, of what comes within a time; empty at the end. Raises: Unavailable after a silence."""
    while True:
        try:
            return os.read(file, _CHUNK_BYTES)
        except BlockingIOError:
            await _pause(file)
            await asyncio.sleep(gathered_s)


async def _pause(file: int, *, for_writing: bool = False) -> None:
    try:
        async with asyncio.timeout(_STALL_TIMEOUT_S):
            await ready(file, for_writing=for_writing)
    except TimeoutError:
        raise Unavailable("The database server did not go on for two hours; see `pg:locks`, and try again.") from None


async def _feed(program: _Program, archive: AsyncIterator[bytes]) -> None:
    """Hands the archive over as long as it is taken, then closes."""
    async with contextlib.aclosing(archive):  # type: ignore[type-var]
        async for chunk in archive:
            left = memoryview(chunk)
            while left:
                try:
                    left = left[os.write(program.stdin, left) :]
                except BlockingIOError:
                    await _pause(program.stdin, for_writing=True)
                    await asyncio.sleep(_GATHERED_S)
                except OSError:
                    return  # it has ended, and says why itself
    program.hang_up("stdin")


async def _listen(program: _Program, said: Callable[[Sequence[str]], None]) -> None:
    pending = b""
    while chunk := await _read(program.stderr):
        *lines, pending = (pending + chunk).split(b"\n")
        pending = pending[-_LINE_MAX_BYTES:]
        _tell([line.decode(errors="replace") for line in lines], program, said)
    _tell([pending.decode(errors="replace")], program, said)


def _tell(lines: Sequence[str], program: _Program, said: Callable[[Sequence[str]], None]) -> None:
    found = [line for line in lines if line.strip()]
    program.words = [*program.words, *found][-_LAST_WORDS:]
    said(found)


def _check(status: int, program: _Program, what: str) -> None:
    if status != 0:
        raise Invalid(f"{what}: {(program.words or ['it was ended'])[-1][:300]}")


_: type[ArchivePrograms] = ContainerArchivePrograms
