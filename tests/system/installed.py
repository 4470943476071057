"""The platform that systemd runs on this very machine. Tests that are run in a virtual machine (tests/vm) find it and make no copy."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .rig import SERVICES, Copy


class Installed(Copy):
    """One that is there already, and stays."""

    def __init__(self, home: Path, port: int, tls_port: int, rendezvous_port: int) -> None:
        self.home, self.port, self.tls_port, self.rendezvous_port = home, port, tls_port, rendezvous_port
        self.url = f"http://localhost:{port}"

    def pid(self, service: str) -> int:
        """The process of a service now; 0: none."""
        return int(_said("systemctl", "show", "-p", "MainPID", "--value", unit(service)))

    def own_log(self, lines: int = 15) -> str:
        """The last words of each service."""
        units = [f"--unit={unit(service)}" for service in SERVICES]
        return _said("journalctl", "--boot", "--no-pager", f"--lines={lines * len(units)}", *units)


def unit(service: str) -> str:
    """Its name for systemd."""
    return service if service == "senryud" else f"senryu-{service}"


def installed() -> Installed | None:
    """What SENRYU_TEST_INSTALLED names: home and three ports."""
    words = os.environ.get("SENRYU_TEST_INSTALLED", "").split()
    return Installed(Path(words[0]), *map(int, words[1:])) if words else None


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
