"""Where the platform is: `SENRYU_URL`, `http://localhost:8080` unless said otherwise."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from senryu.cli.failure import Failure

DEFAULT = "http://localhost:8080"
PORTS = {"http": 80, "https": 443}
CONNECT_TIMEOUT_S = 10.0


class PlatformUrl:
    """One HTTP origin. `machine` is its name in the netrc file and for git: `host`, or `host:port` when it is not the usual port."""

    __slots__ = ("host", "machine", "port", "scheme")

    def __init__(self, text: str) -> None:
        """Raises `Failure` when the text is no http:// or https:// address."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise _invalid(text) from error
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
            raise _invalid(text)
        self.scheme = parts.scheme
        self.host = parts.hostname
        self.port = port or PORTS[parts.scheme]
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.machine = shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.machine}"

    def git(self, app: str) -> str:
        """The URL that an app's code is pushed to."""
        return f"{self}/{app}.git"


def _invalid(text: str) -> Failure:
    return Failure(
        f"SENRYU_URL is `{text}`, which is no http:// or https:// address without a path",
        hint=f"Set it to the address of your platform, such as `{DEFAULT}`",
    )


def platform_url() -> PlatformUrl:
    """The platform that this command line speaks to."""
    return PlatformUrl(os.environ.get("SENRYU_URL") or DEFAULT)


def git_machines(url: PlatformUrl) -> set[tuple[str, str, int]]:
    """(scheme, host, port) of every git remote that belongs to the platform: its own address, its TLS door, its tunnel's end here."""
    tls_port = os.environ.get("SENRYU_TLS_PORT", "")
    ports = {int(tls_port)} if tls_port.isascii() and tls_port.isdigit() else {8443, 443}
    found = {(url.scheme, url.host, url.port)} | {("https", url.host, port) for port in ports}
    if url.host not in ("localhost", "127.0.0.1"):
        from senryu.cli.tunnel import remembered_ports

        tunnel = remembered_ports(url)
        found |= {("https", "localhost", tunnel[0])} if tunnel else set()
    return found


def connect(host: str, port: int, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """A TCP connection. `*.localhost` is this machine (RFC 6761), which many resolvers do not know. Raises OSError."""
    here = host.endswith(".localhost")
    sock = socket.create_connection(("127.0.0.1" if here else host, port), timeout=timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
