"""The output of builds and release phases: one file each. Which of them still grow only this process knows, and it ends with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import structlog

from ..core.build import Streams
from ..core.errors import NotFound, Unavailable
from ..core.limits import BUILD_OUTPUT_MAX_BYTES

_CHUNK_BYTES = 64 * 1024
_POLL_S = 1.0
_CUT = b"\n !     Output was cut here: it is larger than 300 MB.\n"
_log = structlog.get_logger("streams")


class FileStreams:
    """Streams below a directory: `<id>.log`. What an earlier life of the platform left unfinished, nobody will go on with.

    Output that the disk does not take is left out and counted: a build must not fail for what it said.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._changed: dict[UUID, asyncio.Event] = {}
        self._growing: set[UUID] = set()
        self._lost_bytes: Counter[UUID] = Counter()

    def _path(self, stream_id: UUID) -> Path:
        return self._directory / f"{stream_id}.log"

    def _ring(self, stream_id: UUID) -> None:
        event = self._changed.pop(stream_id, None)
        if event is not None:
            event.set()

    async def begin(self, stream_id: UUID) -> None:
        """See Streams. Begun again after a crash, it goes on. Raises: Unavailable when the disk is full."""
        try:
            self._path(stream_id).touch()
        except OSError as error:
            reason = error.strerror or "the disk failed"
            raise Unavailable(f"The output could not be kept ({reason}); the platform's operator must free disk space.") from error
        self._growing.add(stream_id)

    async def append(self, stream_id: UUID, chunk: bytes) -> None:
        """See Streams."""
        self._growing.add(stream_id)
        lost = self._lost_bytes.pop(stream_id, 0)
        said = b"\n !     %d bytes of output are missing here: the disk was full.\n" % lost if lost else b""
        try:
            with self._path(stream_id).open("ab", buffering=0) as file:
                room = BUILD_OUTPUT_MAX_BYTES - file.tell()
                if room <= 0:
                    return
                whole = said + chunk if len(chunk) <= room else said + chunk[:room] + _CUT
                written = file.write(whole)
        except OSError as error:
            _log.warning("output not kept", stream=str(stream_id), reason=error.strerror)
            whole, written = said + chunk, 0
        if written < len(whole):
            self._lost_bytes[stream_id] = lost + len(chunk) - max(0, written - len(said))
        self._ring(stream_id)

    async def finish(self, stream_id: UUID) -> None:
        """See Streams."""
        with suppress(OSError):
            self._path(stream_id).touch()
        self._end(stream_id)

    def _end(self, stream_id: UUID) -> None:
        self._growing.discard(stream_id)
        self._lost_bytes.pop(stream_id, None)
        self._ring(stream_id)

    async def read(self, stream_id: UUID) -> AsyncIterator[bytes]:
        """See Streams."""
        path = self._path(stream_id)
        if not path.exists():
            raise NotFound("There is no output yet; try again in a moment.")
        with path.open("rb") as file:
            while True:
                is_done = stream_id not in self._growing
                event = self._changed.setdefault(stream_id, asyncio.Event())
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
                if is_done:
                    break
                try:
                    async with asyncio.timeout(_POLL_S):  # not wait_for: it may lose a cancellation
                        await event.wait()
                except TimeoutError:
                    continue

    async def forget(self, stream_id: UUID) -> None:
        """See Streams."""
        self._path(stream_id).unlink(missing_ok=True)
        self._end(stream_id)


_: type[Streams] = FileStreams
