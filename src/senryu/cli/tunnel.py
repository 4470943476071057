"""tunnel: a port of this machine that leads to a platform elsewhere, for clients that accept `localhost` only.

What is forwarded is TLS from end to end: the client speaks to the platform's own certificate for `localhost`, signed by the platform's
authority, which is fetched over a verified connection. Nothing is decrypted here. Source: wire contract 1.2, 1.3 (recipe D).
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from senryu.cli.arguments import Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import note, say
from senryu.cli.platform_api import PlatformApi, tls_context
from senryu.cli.platform_url import PlatformUrl, connect, platform_url

_FIRST_PORT = 8443
_CHUNK_BYTES = 64 * 1024
_CONNECTIONS_MAX = 256
_LOOPBACK = ("127.0.0.1", "::1")
_ACCEPT_LOOK_S = 0.5
_DOORS = "/senryu/doors"


class Doors:
    """What a platform says of itself: its authority in PEM, and the port of its terminals."""

    def __init__(self, url: PlatformUrl) -> None:
        """Asks it. Raises `Failure` when it is not reached over verified TLS, or is no Senryu."""
        if url.scheme != "https":
            raise Failure(f"A tunnel needs the platform's TLS address, not {url}", hint="Set SENRYU_URL=https://…")
        with PlatformApi(url, "") as api:
            found = api.certificate_authority()
            answer = api.call("GET", _DOORS, headers={"Authorization": ""}).json
        if found is None or not isinstance(answer, dict):
            raise Failure(f"{url} has no certificate authority of its own, so it cannot be reached as `localhost`", status=API)
        self.authority = found
        self.rendezvous_port = int(answer["rendezvous_port"])


class Tunnel:
    """Listens on this machine and forwards to a platform until it is left. `port` and `rendezvous_port` are those of this machine."""

    def __init__(self, url: PlatformUrl, terminals: int, port: int | None = None) -> None:
        """Takes: the platform's port of terminals, and ours to use; without one the port of last time, 8443 or any is used.

        Raises `Failure` when ours is taken.
        """
        self.url = url
        self._places = threading.BoundedSemaphore(_CONNECTIONS_MAX)
        self._is_over = threading.Event()
        wanted = (port, port) if port else _ports_of_last_time(url)
        self._listeners, self.port = _listen(wanted[0], is_must=port is not None)
        others, self.rendezvous_port = _listen(self.port + 1000 if port else wanted[1], is_must=False)
        self._targets = [(each, url.port) for each in self._listeners] + [(each, terminals) for each in others]
        _remember(url, self.port, self.rendezvous_port)

    def __enter__(self) -> Tunnel:
        for listener, port in self._targets:
            threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over.set()
        for listener, _ in self._targets:
            with suppress(OSError):  # closing alone leaves it listening for as long as a thread waits at it
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def wait(self) -> None:
        """Until it is over; Ctrl-C ends it."""
        while not self._is_over.wait(_ACCEPT_LOOK_S):
            pass

    def _accept(self, listener: socket.socket, port: int) -> None:
        while not self._is_over.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._is_over.is_set():
                    return
                time.sleep(_ACCEPT_LOOK_S)  # out of descriptors, for a moment
                continue
            if not self._places.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._forward, args=(client, port), daemon=True).start()

    def _forward(self, client: socket.socket, port: int) -> None:
        try:
            with client:
                client.settimeout(None)
                with connect(self.url.host, port) as platform:
                    platform.settimeout(None)
                    back = threading.Thread(target=_pump, args=(platform, client), daemon=True)
                    back.start()
                    _pump(client, platform)
                    back.join()
        except OSError as error:
            note(f"{self.url.host}:{port} cannot be reached: {error.strerror or error}")
        finally:
            self._places.release()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Bytes one way until their end, which is passed on; the other way may go on."""
    with suppress(OSError):
        source.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _listen(port: int, *, is_must: bool) -> tuple[list[socket.socket], int]:
    """Sockets on both loopback addresses with one number: this one, or any when it is taken. Raises `Failure`."""
    for wanted in (port, *(() if is_must else (0,) * 20)):
        opened: list[socket.socket] = []
        try:
            for address in _LOOPBACK:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                number = opened[0].getsockname()[1] if opened else wanted
                listener = socket.create_server((address, number), family=family, backlog=64)
                listener.settimeout(_ACCEPT_LOOK_S)
                opened.append(listener)
        except OSError as error:
            if opened and ":" in address and error.errno not in (98, 48):  # a machine without IPv6
                return opened, int(opened[0].getsockname()[1])
            for each in opened:
                each.close()
            continue
        return opened, int(opened[0].getsockname()[1])
    raise Failure(f"Port {port} of this machine is taken", hint="Choose another with `--port`, or leave it out")


def folder_of(url: PlatformUrl) -> Path:
    """Where what belongs to a platform is kept."""
    root = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(root) / "senryu" / url.machine.replace(":", "-")


def remembered_ports(url: PlatformUrl) -> tuple[int, int] | None:
    """The ports of this machine that the platform's last tunnel had."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((folder_of(url) / "tunnel.json").read_text())
        return int(found["port"]), int(found["rendezvous_port"])
    return None


def _ports_of_last_time(url: PlatformUrl) -> tuple[int, int]:
    """git remotes name the port, so it should stay the same."""
    return remembered_ports(url) or (_FIRST_PORT, _FIRST_PORT + 1000)


def _remember(url: PlatformUrl, port: int, rendezvous_port: int) -> None:
    path = folder_of(url) / "tunnel.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".tunnel.{os.getpid()}")
    fresh.write_text(json.dumps({"port": port, "rendezvous_port": rendezvous_port}))
    fresh.replace(path)


def open_tunnel(url: PlatformUrl, authority: str) -> tuple[int, int] | None:
    """The ports of a tunnel to the platform that runs now; None when none does. Only the platform itself can answer the handshake."""
    port, rendezvous_port = _ports_of_last_time(url)
    with suppress(OSError), connect("localhost", port, 2.0) as sock, tls_context(authority).wrap_socket(sock, server_hostname="localhost"):
        return port, rendezvous_port
    return None


def _tunnel(typed: Typed) -> None:
    url = platform_url()
    doors = Doors(url)
    port = typed.number("port", 0) or None
    with Tunnel(url, doors.rendezvous_port, port) as tunnel:
        say(f"https://localhost:{tunnel.port} leads to {url} until this ends (Ctrl-C).")
        say('In another terminal, with the same SENRYU_URL: eval "$(senryu env)"')
        import sys

        sys.stdout.flush()
        tunnel.wait()


TOPIC = {"tunnel": Command(_tunnel, "", (Flag("port", "", "PORT", "port of this machine"),), examples=("tunnel", "tunnel --port 8443"))}
