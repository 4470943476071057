"""How one log line is kept in a file: a line of text that `less` and `grep` can read.

    seq TAB time TAB source TAB process TAB origin TAB position[+] TAB text LF

`+` says that the next record is another piece of the same line; a file cut behind one is cut before the whole group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, count, islice
from typing import Final

from senryu.core.errors import Invalid
from senryu.core.log_line import LogFilter, LogLine, is_wanted

_FIELD: Final = re.compile(r"[!-~]*")
# What resuming needs of a record: seq, origin, position and whether more pieces follow.
_MARKS: Final = re.compile(rb"^(\d+)\t[^\t\n]*\t[^\t\n]*\t[^\t\n]*\t([^\t\n]*)\t(-?\d+)(\+?)\t", re.MULTILINE)


def recorded(lines: Sequence[LogLine], first_seq: int) -> bytes:
    """The records of lines whose texts are clean, numbered from `first_seq`.

    Raises: Invalid when a source, process or origin has a blank or a control character in it.
    """
    records: list[str] = []
    heads: dict[tuple[str, str, str], str] = {}
    followers = chain(islice(lines, 1, None), [None])
    at, instant = None, ""
    for seq, line, following in zip(count(first_seq), lines, followers):
        if line.at is not at:  # conmon gives a whole block of lines one time
            at, instant = line.at, _instant(line.at)
        key = (line.source, line.process, line.origin)
        head = heads.get(key) or heads.setdefault(key, _head(*key))
        more = "+" if following is not None and is_same_line(line, following) else ""
        records.append(f"{seq}\t{instant}\t{head}{line.position}{more}\t{line.text}\n")
    return "".join(records).encode()


def is_same_line(line: LogLine, following: LogLine) -> bool:
    """Whether two neighbours are pieces of one line, to be kept or lost together."""
    return line.position == following.position and line.origin == following.origin and line.origin != ""


def _instant(at: datetime) -> str:
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")


def _head(source: str, process: str, origin: str) -> str:
    for field in (source, process, origin):
        if _FIELD.fullmatch(field) is None:
            raise Invalid(f"The log cannot keep a line of {field!r}: a source, process or origin has no blanks.")
    return f"{source}\t{process}\t{origin}\t"


def _line(record: str, wanted: LogFilter, after: int) -> LogLine | None:
    fields = record.split("\t", 6)
    if len(fields) != 7 or not is_wanted(fields[2], fields[3], wanted):
        return None
    seq, at, source, process, origin, position, text = fields
    try:
        number = int(seq)
        if number <= after:
            return None
        return LogLine(datetime.fromisoformat(at), source, process, text, origin, int(position.rstrip("+")), number)
    except ValueError:
        return None  # a block the disk lost in a power cut


def oldest_lines(records: bytes, wanted: LogFilter, after: int) -> list[LogLine]:
    """The matching lines with `seq` above `after`, oldest first."""
    found = (_line(record, wanted, after) for record in records.decode("utf-8", "replace").split("\n"))
    return [line for line in found if line is not None]


def newest_lines(records: bytes, wanted: LogFilter, limit: int) -> list[LogLine]:
    """The last `limit` matching lines, newest first."""
    found = (_line(record, wanted, 0) for record in reversed(records.decode("utf-8", "replace").split("\n")))
    return list(islice((line for line in found if line is not None), limit))


def whole_bytes(records: bytes) -> int:
    """How many bytes of a file hold whole lines: what a crash tore off at the end is not counted, nor pieces that miss their rest."""
    end = records.rfind(b"\n") + 1
    while end:
        start = records.rfind(b"\n", 0, end - 1) + 1
        marks = _MARKS.match(records, start, end)
        if marks is None or not marks[4]:
            return end
        end = start
    return 0


def resume_marks(records: bytes) -> Iterator[tuple[int, str, int]]:
    """`seq`, `origin` and `position` of every record, oldest first."""
    for match in _MARKS.finditer(records):
        yield int(match[1]), match[2].decode("ascii", "replace"), int(match[3])
