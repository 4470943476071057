"""How far each drain is, kept through crashes: one small file per drain.

A file is replaced after each batch and not brought to the disk: it survives the death of our processes at once; after a power cut a drain
may repeat what it sent in the seconds before.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from uuid import UUID

import msgspec

from senryu.logs.drain_buffer import Mark


class DrainMarks:
    """The files below a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _path(self, drain_id: UUID) -> Path:
        return self._directory / f"{drain_id}.json"

    def read(self, drain_id: UUID) -> Mark | None:
        """A drain's mark; None when there is none, or none that can be read."""
        try:
            return msgspec.json.decode(self._path(drain_id).read_bytes(), type=Mark)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, drain_id: UUID, mark: Mark) -> None:
        """Notes a mark. Raises: OSError."""
        fresh = self._path(drain_id).with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(mark))
        fresh.replace(self._path(drain_id))

    def keep_only(self, drain_ids: Set[UUID]) -> None:
        """Deletes the marks of drains there are no more."""
        for path in self._directory.iterdir():
            if path.stem not in {str(id) for id in drain_ids}:
                path.unlink(missing_ok=True)
