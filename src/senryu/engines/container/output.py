"""The OutputReader contract: follows the file conmon writes, which the agent opens for us, from its beginning to the dyno's end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

from senryu.agent import protocol
from senryu.core.dyno import Output
from senryu.core.errors import NotFound, Unavailable

from . import client
from .output_record import OutputRecord
from .watch import Changes, DirectoryWatch

_CHUNK_BYTES = 256 * 1024
_GATHER_S = 0.05  # lets small writes become one batch: a look costs as much as a hundred lines
_LOOK_AGAIN_S = 30.0  # only for an inotify queue that overflowed
_REOPEN_S = 0.5


async def read_output(agent: Path, directory: Path, dyno_id: UUID, after: int, watch: DirectoryWatch) -> AsyncIterator[list[Output]]:
    """See OutputReader.output. A dyno that is not there has no output."""
    try:
        with watch.changes_in(directory) as changes:
            async for batch in _follow(agent, directory, dyno_id, changes):
                wanted = [line for line in batch if line.position > after]
                if wanted:
                    yield wanted
    except OSError:
        return


async def _follow(agent: Path, directory: Path, dyno_id: UUID, changes: Changes) -> AsyncIterator[list[Output]]:
    record = OutputRecord(dyno_id)
    file: int | None = None
    read_last = 0
    try:
        while True:
            changes.ask()
            has_ended = (directory / str(dyno_id)).exists() or not directory.exists()
            if file is None:
                file = await _open(agent, dyno_id, read_last, record)
            if file is not None:
                for chunk in _chunks(file):
                    yield record.feed(chunk)
                if _is_replaced(file, directory / "log"):
                    for chunk in _chunks(file):  # what was written between our last read and the replacement
                        yield record.feed(chunk)
                    read_last = os.fstat(file).st_ino
                    os.close(file)
                    file = None
                    continue
            if has_ended:
                yield record.finish()
                return
            await _until(changes)
    finally:
        if file is not None:
            os.close(file)


async def _open(agent: Path, dyno_id: UUID, read_last: int, record: OutputRecord) -> int | None:
    """The file behind the one read last, which the record is told of; None when there is none yet or any more.

    Waits while the agent is away.
    """
    while True:
        try:
            reply = await client.ask(agent, protocol.OpenOutput(dyno_id, read_last))
        except NotFound:
            return None
        except Unavailable:
            await asyncio.sleep(_REOPEN_S)
            continue
        if len(reply.files) != 1:
            client.close_all(reply.files)
            return None
        record.begin_file(reply.answer.lost if isinstance(reply.answer, protocol.Opened) else 0)
        return reply.files[0]


def _chunks(file: int) -> Iterator[bytes]:
    while chunk := os.read(file, _CHUNK_BYTES):
        yield chunk


def _is_replaced(file: int, path: Path) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file).st_ino
    except FileNotFoundError:
        return False


async def _until(changes: Changes) -> None:
    try:
        async with asyncio.timeout(_LOOK_AGAIN_S):
            await changes.wait()
    except TimeoutError:
        return
    await asyncio.sleep(_GATHER_S)
