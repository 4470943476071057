"""What senryud says about itself, on stderr, without ever waiting for whoever keeps it.

A logger whose disk is full (svlogd) stops reading; a pipe that nobody reads would stop senryud too, after 64 KB of words.
"""

from __future__ import annotations

import os
import select
from typing import Final

# A pipe that polls as writable takes so many bytes at once without waiting. Source: pipe(7), PIPE_BUF
_AT_ONCE_BYTES: Final = 4096


class Words:
    """A stream to write to. What cannot be taken at once is left out; how many lines, the next one that is taken says."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._lost = 0

    def write(self, text: str) -> int:
        """Writes a line, or all of it up to where nobody reads on."""
        if self._lost and self._take(f'{{"event": "words lost", "lines": {self._lost}, "level": "warning"}}\n'.encode()):
            self._lost = 0
        if self._lost or not self._take(text.encode("utf-8", "backslashreplace")):
            self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _take(self, content: bytes) -> bool:
        while content:
            # Not select(): it cannot look at descriptors above 1023.
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            if not any(event & select.POLLOUT for _, event in poll.poll(0)):
                return False
            try:
                content = content[os.write(self._descriptor, content[:_AT_ONCE_BYTES]) :]
            except OSError:
                return False
        return True
