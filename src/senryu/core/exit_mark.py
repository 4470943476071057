"""The line by which the official client learns a one-off's exit status: it must reach it whole, in a piece of its own.

Source: wire contract 6.2 (`heroku run --exit-code`): the client looks for it in each piece that arrives and gives up on half a line.
"""

from __future__ import annotations

import re

MARK = "\uffff heroku-command-exit-status: ".encode()
_LINE = re.compile(b"(" + re.escape(MARK) + rb"\d{1,3}\r?\n)")
_BEGUN = re.compile(re.escape(MARK) + rb"\d{0,3}\r?\Z")


def in_pieces(data: bytes) -> tuple[list[bytes], bytes]:
    """What is to be sent now, piece by piece, and what must wait for more since it may begin the line."""
    *pieces, last = _LINE.split(data)
    begun = _BEGUN.search(last)
    start = begun.start() if begun else len(last) - _begins(last)
    return [piece for piece in (*pieces, last[:start]) if piece], last[start:]


def _begins(text: bytes) -> int:
    """How many of the last bytes are the first ones of the mark."""
    return next((size for size in range(min(len(MARK), len(text)), 0, -1) if MARK.startswith(text[-size:])), 0)
