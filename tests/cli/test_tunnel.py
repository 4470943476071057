"""`senryu tunnel`: TLS passes through it from end to end, its port stays the same, and only the platform itself counts as one."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from authorities.rig import certificate
from senryu.cli.failure import Failure
from senryu.cli.platform_api import tls_context
from senryu.cli.platform_url import PlatformUrl, git_machines
from senryu.cli.tunnel import Tunnel, _remember, open_tunnel


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[tuple[PlatformUrl, str]]:
    """A TLS server that answers with what it got, once its client has said all, and the PEM it is trusted by."""
    pem, key, _ = certificate("localhost")
    (tmp_path / "pem").write_text(pem + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pem")
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            try:
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as tls:
                    said = b""
                    while not said.endswith(b"\n"):
                        chunk = tls.recv(100)
                        if not chunk:
                            break
                        said += chunk
                    tls.sendall(said.upper() * 1000)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield PlatformUrl(f"https://127.0.0.1:{listener.getsockname()[1]}"), pem
    is_over.set()
    listener.close()


def asked(port: int, authority: str, host: str = "127.0.0.1") -> bytes:
    answer = b""
    with (
        socket.create_connection((host, port), timeout=10) as plain,
        tls_context(authority).wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"hello\n")
        while chunk := tls.recv(65536):
            answer += chunk
    return answer


def test_both_ports_lead_there_and_the_handshake_is_the_platforms_own(platform: tuple[PlatformUrl, str], home: Path) -> None:
    url, authority = platform
    assert open_tunnel(url, authority) is None
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        _remember(url, one.getsockname()[1], two.getsockname()[1])  # not the usual ones, which another test may take in between
    with Tunnel(url, url.port) as tunnel:
        assert asked(tunnel.port, authority) == b"HELLO\n" * 1000
        assert asked(tunnel.port, authority, "::1") == b"HELLO\n" * 1000
        assert asked(tunnel.rendezvous_port, authority) == b"HELLO\n" * 1000
        assert open_tunnel(url, authority) == (tunnel.port, tunnel.rendezvous_port)
        other, _, _ = certificate("localhost")
        assert open_tunnel(url, other) is None  # somebody else answers there
        with pytest.raises(Failure, match="taken"):
            Tunnel(url, url.port, tunnel.port)
    assert open_tunnel(url, authority) is None
    with Tunnel(url, url.port) as again:
        assert (again.port, again.rendezvous_port) == (tunnel.port, tunnel.rendezvous_port)
    assert (home / f".config/senryu/127.0.0.1-{url.port}/tunnel.json").is_file()


def test_remotes_that_the_official_client_made_through_a_tunnel_are_known(home: Path) -> None:
    url = PlatformUrl("https://api.platform.example.com")
    assert ("https", "localhost", 8999) not in git_machines(url)
    folder = home / ".config/senryu/api.platform.example.com"
    folder.mkdir(parents=True)
    (folder / "tunnel.json").write_text('{"port": 8999, "rendezvous_port": 9999}')
    assert {("https", "localhost", 8999), ("https", "api.platform.example.com", 443)} <= git_machines(url)
    (folder / "tunnel.json").write_text("[]")
    assert ("https", "localhost", 8999) not in git_machines(url)
