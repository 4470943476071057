"""A terminal with somebody at it, for programs that want one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from .rig import SLOWNESS

PATIENCE_S = 30.0 * SLOWNESS


class TerminalSession:
    """A program on a pseudo-terminal of 80 by 24. Use as `with`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._seen = b""
        self.status: int | None = None
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], list(command), dict(environment))
        self.resize(80, 24)

    def __enter__(self) -> TerminalSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.status is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def type(self, keys: str) -> None:
        """As if typed; `\\r` is the return key, `\\x03` Ctrl-C."""
        os.write(self._terminal, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """As a window does; the program is told by SIGWINCH."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def await_text(self, text: str) -> str:
        """What was shown up to and with `text`; it is not looked at again."""
        deadline = time.monotonic() + PATIENCE_S
        while text.encode() not in self._seen:
            assert time.monotonic() < deadline, f"`{text}` was not shown but {self._seen!r}"
            assert self._read(), f"the program ended without showing `{text}` but {self._seen!r}"
        before, found, self._seen = self._seen.partition(text.encode())
        return (before + found).decode("utf-8", "replace")

    def await_end(self) -> int:
        """The program's exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < deadline, f"the program did not end but showed {self._seen!r}"
        _, status = os.waitpid(self._pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def _read(self) -> bool:
        """Reads what is there, or waits a moment; False once the program has closed the terminal."""
        ready, _, _ = select.select([self._terminal], [], [], 0.2)
        if not ready:
            return True
        try:
            chunk = os.read(self._terminal, 65536)
        except OSError:
            return False
        self._seen += chunk
        return bool(chunk)
