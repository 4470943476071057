"""A machine somewhere on the Internet: a network namespace with an address that is nobody's, with a git and a web server.

The address is of 198.18.0.0/15, set aside for tests (RFC 2544), so that a dyno may go there and no packet leaves this machine.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .rig import eventually


class Elsewhere:
    """`address` serves the repositories of a directory by git://, and its files by http://."""

    def __init__(self, address: str) -> None:
        self.address = address

    def git(self, name: str) -> str:
        """A repository's URL."""
        return f"git://{self.address}/{name}"

    def http(self, name: str) -> str:
        """A file's URL."""
        return f"http://{self.address}/{name}"


@contextlib.contextmanager
def elsewhere(directory: Path) -> Iterator[Elsewhere]:
    """Such a machine, gone afterwards."""
    number = os.getpid() % 16_000
    name = f"sntest-{os.getpid()}"
    near, far = (f"198.18.{number // 64}.{number % 64 * 4 + end}" for end in (1, 2))
    servers: list[subprocess.Popen[bytes]] = []
    _ip("netns", "add", name)
    try:
        _ip("link", "add", name[:15], "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", f"{near}/30", "dev", name[:15])
        _ip("link", "set", name[:15], "up")
        _ip("-n", name, "addr", "add", f"{far}/30", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        inside = ("ip", "netns", "exec", name)
        git = ("git", "daemon", "--export-all", f"--base-path={directory}", f"--listen={far}", str(directory))
        web = ("/usr/bin/python3", "-m", "http.server", "80", "--bind", far, "--directory", str(directory))
        for command in (git, web):
            servers.append(
                subprocess.Popen((*inside, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            )
        for port in (9418, 80):
            eventually(lambda port=port: _answers(far, port), f"port {port} of {far}")  # type: ignore[misc]
        yield Elsewhere(far)
    finally:
        for server in servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, 15)
            server.wait(20)
        _ip("netns", "delete", name)


def _answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), 2):
        return True
    return False


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, timeout=30, capture_output=True)
