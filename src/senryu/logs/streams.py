"""The output of builds and release phases: one file each, marked when it is complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

from ..core.build import Streams
from ..core.errors import NotFound
from ..core.limits import BUILD_OUTPUT_MAX_BYTES

_CHUNK_BYTES = 64 * 1024
_POLL_S = 1.0


class FileStreams:
    """Streams below a directory: `<id>.log`, and `<id>.done` beside it once finished."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._changed: dict[UUID, asyncio.Event] = {}
        # What an earlier life of the platform left open, nobody will go on with.
        for file in directory.glob("*.log"):
            file.with_suffix(".done").touch()

    def _log(self, stream_id: UUID) -> Path:
        return self._directory / f"{stream_id}.log"

    def _is_done(self, stream_id: UUID) -> bool:
        return self._log(stream_id).with_suffix(".done").exists()

    def _ring(self, stream_id: UUID) -> None:
        event = self._changed.pop(stream_id, None)
        if event is not None:
            event.set()

    async def begin(self, stream_id: UUID) -> None:
        """See Streams. Begun again after a crash, it goes on."""
        self._log(stream_id).touch()
        self._log(stream_id).with_suffix(".done").unlink(missing_ok=True)

    async def append(self, stream_id: UUID, chunk: bytes) -> None:
        """See Streams."""
        log = self._log(stream_id)
        with log.open("ab") as file:
            room = BUILD_OUTPUT_MAX_BYTES - file.tell()
            if room <= 0:
                return
            file.write(chunk if len(chunk) <= room else chunk[:room] + b"\n !     Output was cut here: it is larger than 300 MB.\n")
        self._ring(stream_id)

    async def finish(self, stream_id: UUID) -> None:
        """See Streams."""
        self._log(stream_id).touch()
        self._log(stream_id).with_suffix(".done").touch()
        self._ring(stream_id)

    async def read(self, stream_id: UUID) -> AsyncIterator[bytes]:
        """See Streams."""
        log = self._log(stream_id)
        if not log.exists():
            raise NotFound("There is no output yet; try again in a moment.")
        with log.open("rb") as file:
            while True:
                is_done = self._is_done(stream_id) or not log.exists()  # forgotten while it was read
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
        self._log(stream_id).unlink(missing_ok=True)
        self._log(stream_id).with_suffix(".done").unlink(missing_ok=True)
        self._ring(stream_id)


_: type[Streams] = FileStreams
