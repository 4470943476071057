"""`python3 escape.py WHERE`: makes every attempt and prints a line for each. `python3 escape.py serve`: makes them at GET /."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import files  # first: it looks at what was open at the start
import kernel
import network
from attempt import ATTEMPTS, Targets, outcomes, writable

ROOMS = (files, kernel, network)
LEFT = "left-by-the-escape-app"


def targets_of(hidden: str) -> Targets:
    """Where to, in hexadecimal, so that what is looked for is not found in its own description."""
    found: Targets = json.loads(bytes.fromhex(hidden))
    return found


class Watch(threading.Thread):
    """Looks for a process that comes in from outside, as `ps:exec` brings one, and tries to overwrite the program it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self.got = ""

    def run(self) -> None:
        while True:
            for name in os.listdir("/proc"):
                if name.isdigit():
                    self._try(name)
            time.sleep(0)

    def _try(self, pid: str) -> None:
        try:
            program = os.readlink(f"/proc/{pid}/exe")
            self.seen.add(program)
            if not program.startswith("/app/"):
                self.got = f"{program}: {writable(f'/proc/{pid}/exe')}"
        except OSError:
            return


class Page(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        targets = targets_of(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(f"escape| web | {name} | {how}" for name, how in outcomes(targets))

    def do_GET(self) -> None:
        if self.path == "/runtime":
            watch = self.server.watch  # type: ignore[attr-defined]
            self._answer([watch.got, *sorted(watch.seen)])
        else:
            for folder in ("/tmp", "/var/tmp", "/dev/shm", "/app"):
                Path(folder, LEFT).write_text("here")
            self._answer([str(os.getuid()), os.environ["PORT"]])

    def _answer(self, lines: Iterable[str]) -> None:
        """Line by line, as they come: who waits for the first byte gives up after 30 s."""
        self.send_response(200)
        self.end_headers()
        for line in lines:
            self.wfile.write(f"{line}\n".encode())

    def log_message(self, *_: object) -> None:
        return


def serve() -> None:
    """The web dyno."""
    server = ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Page)
    server.watch = Watch()  # type: ignore[attr-defined]
    server.watch.start()  # type: ignore[attr-defined]
    server.serve_forever()


def main(where: str, hidden: str = "", only: str = "") -> None:
    """Prints `escape| WHERE | NAME | OUTCOME` for each attempt; none are made where no targets are given."""
    if not hidden and not Path("targets").exists():
        return
    targets = targets_of(hidden or Path("targets").read_text())
    for name in set(ATTEMPTS) if only else ():
        if name != only:
            del ATTEMPTS[name]
    for name, how in outcomes(targets):
        print(f"escape| {where} | {name} | {how}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        main(*sys.argv[1:])
