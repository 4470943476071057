"""The exit status of a one-off command.

The platform tells it as `exit_code` of the dyno. Elsewhere the command is followed by an `echo` that prints it behind
U+FFFF, which is how Heroku's own CLI learns it.
"""

from __future__ import annotations

import re
import time

from senryu.cli.failure import API, Failure, Refusal
from senryu.cli.platform_api import PlatformApi, path_of

WAIT_S = 5.0
LOOK_EVERY_S = 0.1
MARK = "\uffff heroku-command-exit-status: ".encode()
MARKED = re.compile(re.escape(MARK) + rb"(\d+)\r?\n?")
TAIL_BYTES = 64


def marked(command: str) -> str:
    """The command with the echo behind it; in a subshell, so that its `exit` does not skip the echo."""
    return f'({command}\n) ; echo "\uffff heroku-command-exit-status: $?"'


class Output:
    """Bytes from the dyno on their way to stdout: the mark is taken out, CR LF becomes LF where a pty made it."""

    def __init__(self, *, is_marked: bool, drops_cr: bool) -> None:
        self.status: int | None = None
        self._is_marked = is_marked
        self._drops_cr = drops_cr
        self._held = b""

    def __call__(self, chunk: bytes) -> bytes:
        """What may be printed now; b"" ends the output and gives the rest."""
        seen = self._held + chunk
        self._held = b""
        if chunk:
            keep = self._kept(seen)
            seen, self._held = (seen[:-keep], seen[-keep:]) if keep else (seen, b"")
        elif self._is_marked and (found := MARKED.search(seen)):
            self.status = int(found.group(1))
            seen = seen[: found.start()] + seen[found.end() :]
        return seen.replace(b"\r\n", b"\n") if self._drops_cr else seen

    def _kept(self, seen: bytes) -> int:
        """How many last bytes may be the beginning of something: the mark, or a CR LF."""
        start = seen.rfind(MARK[:3]) if self._is_marked else -1
        if start >= 0 and len(seen) - start < TAIL_BYTES:
            return len(seen) - start
        if self._is_marked:
            partial = next((n for n in (2, 1) if seen.endswith(MARK[:n])), 0)
            if partial:
                return partial
        return 1 if self._drops_cr and seen.endswith(b"\r") else 0


def reported(api: PlatformApi, app: str, dyno: str) -> int:
    """The exit status that the platform knows of; waits up to five seconds for it. Raises `Failure` when it tells none."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        try:
            found = api.get(path_of("apps", app, "dynos", dyno))
        except Refusal as refusal:
            if refusal.code != 404:
                raise
            break
        if isinstance(found.get("exit_code"), int):
            return int(found["exit_code"])
        time.sleep(LOOK_EVERY_S)
    raise Failure(f"The platform did not tell the exit status of {dyno}", hint=f"`senryu logs --dyno {dyno}` has it", status=API)
