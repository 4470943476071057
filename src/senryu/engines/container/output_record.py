"""conmon's record of a dyno's output, turned back into lines. Pure.

Each record is `TIME STREAM F|P TEXT`; P means that the line goes on in the stream's next record. Source: the Kubernetes log format
(`k8s-file` in conmon(8)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from senryu.core.dyno import Output
from senryu.core.limits import LOG_LINE_MAX_BYTES


@dataclass(slots=True)
class _Line:
    """A line not yet complete."""

    at: datetime
    text: bytearray


class OutputRecord:
    """Reads the record of one dyno in pieces, file after file as conmon replaces them.

    A position is the time of the file's first record in nanoseconds plus the bytes into the file where the line ended: it grows from
    line to line and from file to file, and is the same whoever reads it again.
    """

    def __init__(self, dyno_id: UUID) -> None:
        self._dyno_id = dyno_id
        self._unfinished: dict[str, _Line] = {}
        self._rest = b""
        self._offset = 0
        self._base: int | None = None
        self._lost = 0
        self._whole = b""
        self._stream, self._at = "", datetime.min

    def begin_file(self, lost: int = 0) -> None:
        """What is fed next is from the beginning of another file, before which so many lines are gone: the next line tells of them."""
        if lost:
            self._lost += lost + len(self._unfinished)  # their ends are among the lost
            self._unfinished.clear()
        self._rest = b""
        self._offset = 0
        self._base = None
        self._whole = b""

    def feed(self, chunk: bytes) -> list[Output]:
        """The lines that are complete with `chunk`; longer ones come in pieces of limits.LOG_LINE_MAX_BYTES."""
        records = (self._rest + chunk).split(b"\n")
        self._rest = records.pop()
        lines: list[Output] = []
        for record in records:
            if not self._read_like_last(record, lines):
                self._read(record, lines)
            self._offset += len(record) + 1
        if lines and self._lost:
            lines[0] = replace(lines[0], lost=self._lost)
            self._lost = 0
        return lines

    def finish(self) -> list[Output]:
        """The lines that never got their end."""
        position = self._position(self._offset)
        lines = []
        for stream, line in self._unfinished.items():
            position += 1
            lines.append(Output(self._dyno_id, position, line.at, stream, bytes(line.text)))
        self._unfinished.clear()
        return lines

    def _read_like_last(self, record: bytes, lines: list[Output]) -> bool:
        """Reads a whole line that conmon wrote together with the last one: half the time, and in a flood nearly all are."""
        start = len(self._whole)
        if not start or record[:start] != self._whole or len(record) - start > LOG_LINE_MAX_BYTES:
            return False
        position = self._position(self._offset + len(record) + 1)
        lines.append(Output(self._dyno_id, position, self._at, self._stream, record[start:]))
        return True

    def _read(self, record: bytes, lines: list[Output]) -> None:
        words = record.split(b" ", 3)
        if len(words) != 4:
            return
        time, stream = words[0].decode("ascii", "replace"), words[1].decode("ascii", "replace")
        at = _time(time)
        if at is None:
            return
        if self._base is None:
            self._base = _nanoseconds(at, time)
        line = self._unfinished.get(stream) or _Line(at, bytearray())
        text = words[3]
        end = self._offset + len(record) - len(text)
        while len(line.text) + len(text) > LOG_LINE_MAX_BYTES:
            cut = LOG_LINE_MAX_BYTES - len(line.text)
            end += cut
            lines.append(Output(self._dyno_id, self._position(end), line.at, stream, bytes(line.text + text[:cut])))
            line, text = _Line(at, bytearray()), text[cut:]
        line.text += text
        if words[2] == b"F":
            self._unfinished.pop(stream, None)
            end = self._offset + len(record) + 1
            lines.append(Output(self._dyno_id, self._position(end), line.at, stream, bytes(line.text)))
            self._whole = record[: len(record) - len(words[3])]
            self._stream, self._at = stream, at
        else:
            self._unfinished[stream] = line
            self._whole = b""

    def _position(self, offset: int) -> int:
        return (self._base or 0) + offset


def _time(text: str) -> datetime | None:
    # Python keeps microseconds, conmon writes nanoseconds.
    try:
        return datetime.fromisoformat(text[:26] + (text[29:] if len(text) > 29 else "+00:00"))
    except ValueError:
        return None


def _nanoseconds(at: datetime, text: str) -> int:
    below = text[26:29]
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000 + (int(below) if below.isdigit() else 0)
