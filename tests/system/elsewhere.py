"""Machines somewhere on the Internet: network namespaces with addresses that are nobody's; one with a git and a web server.

The addresses are of 198.18.0.0/15, set aside for tests (RFC 2544), so that a dyno may go there and no packet leaves this machine.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from .rig import eventually

_numbers = count()


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
def machine(network: str = "198.18") -> Iterator[tuple[str, Sequence[str]]]:
    """Such a machine, gone afterwards: its address, and the words that a command begins with to be run on it.

    Another `network` (two numbers) puts it elsewhere: `172.30` is a private one.
    """
    number = (os.getpid() * 2 + (place := next(_numbers))) % 16_000
    name = f"sntest-{os.getpid()}-{place}"
    cable = f"snt{os.getpid()}-{place}"[:15]
    near, far = (f"{network}.{number // 64}.{number % 64 * 4 + end}" for end in (1, 2))
    _ip("netns", "add", name)
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", f"{near}/30", "dev", cable)
        _ip("link", "set", cable, "up")
        _ip("-n", name, "addr", "add", f"{far}/30", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "route", "add", "default", "via", near)
        yield far, ("ip", "netns", "exec", name)
    finally:
        _ip("netns", "delete", name)


@contextlib.contextmanager
def elsewhere(directory: Path) -> Iterator[Elsewhere]:
    """A machine with the two servers."""
    servers: list[subprocess.Popen[bytes]] = []
    with machine() as (address, inside):
        try:
            git = ("git", "daemon", "--export-all", f"--base-path={directory}", f"--listen={address}", str(directory))
            web = ("/usr/bin/python3", "-m", "http.server", "80", "--bind", address, "--directory", str(directory))
            for command in (git, web):
                servers.append(
                    subprocess.Popen((*inside, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
                )
            for port in (9418, 80):
                eventually(lambda port=port: answers(address, port), f"port {port} of {address}")  # type: ignore[misc]
            yield Elsewhere(address)
        finally:
            for server in servers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, 15)
                server.wait(20)


def answers(address: str, port: int) -> bool:
    """Whether anybody listens there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), 2):
        return True
    return False


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, timeout=30, capture_output=True)
