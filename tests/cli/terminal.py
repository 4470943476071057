"""The command line on a terminal of its own, as a user has it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from .conftest import CHECKOUT

ENTRY = [sys.executable, "-I", str(CHECKOUT / "src/senryu/cli/__main__.py")]
PATIENCE_S = 20.0


class Terminal:
    """The command line on a terminal of its own."""

    def __init__(self, *words: str, columns: int = 90, lines: int = 30) -> None:
        self.fd, far = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(far)
        self.far = far
        line = [sys.executable, "-c", _SESSION, far_name(far), *ENTRY, *words]
        self.process = subprocess.Popen(line, start_new_session=True)
        self.seen = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self.fd, text)

    def until(self, is_there: Callable[[bytes], bool]) -> bytes:
        deadline = time.monotonic() + PATIENCE_S
        while not is_there(self.seen):
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536)
        return self.seen

    def reads(self) -> bool:
        """Whether the command line waits in read(2) of its terminal. A signal that comes before, it sees after the next key only."""
        return Path(f"/proc/{self.process.pid}/syscall").read_text().split()[:2] == ["0", "0x0"]

    def end(self) -> int:
        self.until(lambda seen: self.process.poll() is not None)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self.far)
        os.close(self.fd)


# Makes the terminal the session's own, so that a changed window and Ctrl-C reach the command line as they do for a user.
_SESSION = """
import fcntl, os, sys, termios
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
for n in (0, 1, 2):
    os.dup2(fd, n)
os.environ["TERM"] = "xterm-256color"
os.execv(sys.argv[2], sys.argv[2:])
"""


def far_name(fd: int) -> str:
    return os.ttyname(fd)
