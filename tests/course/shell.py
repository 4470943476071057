"""A shell that remembers, as the one of somebody who follows a page; and programs that run beside it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_PATIENCE_S = 120.0
_END = "--end-of-command--"


class Shell:
    """bash without a terminal. Use as `with`."""

    def __init__(self, environment: Mapping[str, str], cwd: Path) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait(10)
        for pipe in (self._bash.stdin, self._bash.stdout):
            if pipe is not None:
                pipe.close()

    def run(self, command: str) -> tuple[int, str]:
        """(exit status, output); what it sets stays set for the next."""
        assert self._bash.stdin is not None and self._bash.stdout is not None
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n{_END} %d\\n' $?\n".encode())
        self._bash.stdin.flush()
        seen, deadline = b"", time.monotonic() + _PATIENCE_S
        while (end := re.search(rf"\n{_END} (\d+)\n".encode(), seen)) is None:
            assert time.monotonic() < deadline, f"`{command}` did not end but said:\n{seen.decode(errors='replace')}"
            if select.select([self._bash.stdout], [], [], 0.5)[0]:
                chunk = os.read(self._bash.stdout.fileno(), 65536)
                assert chunk, f"`{command}` ended the shell:\n{seen.decode(errors='replace')}"
                seen += chunk
        return int(end[1]), seen[: end.start()].decode(errors="replace")

    def environment(self) -> dict[str, str]:
        """What programs of this shell are given now."""
        _, said = self.run("env -0 | base64 -w0")
        return dict(item.split("=", 1) for item in _decoded(said).split("\0") if "=" in item)

    def cwd(self) -> Path:
        """Where it is."""
        return Path(self.run("pwd")[1].strip())


def _decoded(text: str) -> str:
    import base64

    return base64.b64decode(text.strip()).decode()


class Aside:
    """A program in another terminal; what it says is kept. Use as `with`."""

    def __init__(self, command: str, environment: Mapping[str, str], cwd: Path) -> None:
        self.said = ""
        self._program = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._program.stdout is not None
        while chunk := os.read(self._program.stdout.fileno(), 65536):
            self.said += chunk.decode(errors="replace")

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self._program.pid, signal.SIGINT)

    def await_end(self) -> int:
        """Its exit status."""
        return self._program.wait(60)

    def close(self) -> None:
        """Ended, whatever it does."""
        if self._program.poll() is None:
            os.killpg(self._program.pid, signal.SIGKILL)
            self._program.wait(10)
        self._reader.join(10)
        for pipe in (self._program.stdin, self._program.stdout):
            if pipe is not None:
                pipe.close()
