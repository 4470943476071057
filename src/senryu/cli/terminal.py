"""The user's terminal while a dyno has it: raw keys, its size, and everything as before at the end."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIZE_WAIT_S = 5.0
FATAL = (signal.SIGTERM, signal.SIGHUP)


def is_terminal() -> bool:
    """Whether both stdin and stdout are terminals."""
    try:
        return os.isatty(0) and os.isatty(1)
    except OSError:
        return False


def size() -> tuple[int, int]:
    """(columns, lines)."""
    try:
        found = os.get_terminal_size(1)
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24


@contextmanager
def raw() -> Iterator[None]:
    """Every key is passed on as it is typed; the terminal is restored however the block ends."""
    before = termios.tcgetattr(0)
    handlers = {number: signal.signal(number, _leave) for number in FATAL}
    try:
        tty.setraw(0, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        for number, earlier in handlers.items():
            signal.signal(number, earlier)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextmanager
def size_watch(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Calls `tell(columns, lines)` from a thread of its own after each change of the window; only the last change counts."""
    changed, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            changed.wait()
            changed.clear()
            if not over.is_set():
                tell(*size())

    thread = threading.Thread(target=watch, name="window-size", daemon=True)
    earlier = signal.signal(signal.SIGWINCH, lambda number, frame: changed.set())
    # A signal must not cut a copy short.
    signal.siginterrupt(signal.SIGWINCH, False)
    thread.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, earlier)
        over.set()
        changed.set()
        thread.join(SIZE_WAIT_S)
