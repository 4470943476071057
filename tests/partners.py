"""The partner of tests/partner_server.py, started, killed and started again."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import partner_server
from system.rig import free_ports


class RunningPartner:
    """One, with what it made in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, [self.port] = folder, free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def manifest(self) -> dict[str, Any]:
        return partner_server.manifest(self.port)

    def made(self) -> list[str]:
        """The ids of what it has, ours."""
        return sorted(path.stem.removeprefix("r-") for path in self.folder.glob("r-*.json"))

    def start(self) -> None:
        self.stop()
        self._process = subprocess.Popen([sys.executable, partner_server.__file__, str(self.port), str(self.folder)])
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the partner does not listen"
                time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)


@contextmanager
def running_partner(folder: Path) -> Iterator[RunningPartner]:
    folder.mkdir(exist_ok=True)
    partner = RunningPartner(folder)
    partner.start()
    try:
        yield partner
    finally:
        partner.stop()
