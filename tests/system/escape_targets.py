"""What the escape app tries to reach, put up for it to find: a neighbourhood of addresses, sockets and files that the machine can reach."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from .rig import CHECKOUT, Copy, eventually

METADATA, METADATA6 = "169.254.169.254", "fd00:ec2::254"
_LOCK = Path("/run/lock/senryu-test-metadata")
_SERVER = """
import socket, socketserver, sys, threading
class Six(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address, daemon_threads = socket.AF_INET6, True, True
class Hello(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"secret metadata")
for port in (80, 22, 5432, 9200):
    threading.Thread(target=Six(("::", port), Hello).serve_forever).start()
spoofed = 0
talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); talk.bind(("0.0.0.0", 7000))
while True:
    said, sender = talk.recvfrom(1000)
    spoofed += said.startswith(b"spoofed")
    talk.sendto(b"spoofed=%d" % spoofed, sender)
"""


class Neighbourhood:
    """`elsewhere` is on the Internet, which dynos may reach; the others are what they may not."""

    def __init__(self, number: int) -> None:
        part = f"{200 + number // 250 % 50}.{number % 250 + 1}"
        self.elsewhere = f"198.19.{number // 64 % 256}.{number % 64 * 4 + 2}"
        self.near = f"198.19.{number // 64 % 256}.{number % 64 * 4 + 1}"
        self.lan = [f"10.255.{part}", f"172.31.{part}", f"192.168.{part}", f"100.127.{part}"]
        self.lan6 = str(ipaddress.IPv6Address((0xFD5E << 112) + (number << 16) + 2))
        self.near6 = str(ipaddress.IPv6Address((0xFD5E << 112) + (number << 16) + 1))


@contextlib.contextmanager
def neighbourhood() -> Iterator[Neighbourhood]:
    """Machines behind one cable, gone afterwards. One at a time on a machine, for the metadata address is everybody's."""
    number = os.getpid()
    place, name = Neighbourhood(number), f"snesc{number}"[:15]
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _ip("netns", "add", name)
        server: subprocess.Popen[bytes] | None = None
        try:
            _cable(place, name)
            server = subprocess.Popen(
                ("ip", "netns", "exec", name, sys.executable, "-c", _SERVER), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for address in (place.elsewhere, *place.lan, place.lan6, METADATA, METADATA6):
                eventually(lambda address=address: answers(address, 80), f"port 80 of {address}")  # type: ignore[misc]
            yield place
        finally:
            if server is not None:
                server.kill()
                server.wait(20)
            _ip("netns", "delete", name)


def _cable(place: Neighbourhood, name: str) -> None:
    _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("addr", "add", f"{place.near}/30", "dev", name)
    _ip("-6", "addr", "add", f"{place.near6}/112", "dev", name, "nodad")
    _ip("link", "set", name, "up")
    inside = ("-n", name)
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "addr", "add", f"{place.elsewhere}/30", "dev", "eth0")
    _ip(*inside, "-6", "addr", "add", f"{place.lan6}/112", "dev", "eth0", "nodad")
    for address in (*place.lan, METADATA):
        _ip(*inside, "addr", "add", f"{address}/32", "dev", "lo")
        _ip("route", "add", f"{address}/32", "via", place.elsewhere)
    _ip(*inside, "-6", "addr", "add", f"{METADATA6}/128", "dev", "lo", "nodad")
    _ip("-6", "route", "add", f"{METADATA6}/128", "via", place.lan6)
    _ip(*inside, "route", "add", "default", "via", place.near)
    _ip(*inside, "-6", "route", "add", "default", "via", place.near6)


@contextlib.contextmanager
def host_listeners(abstract: str) -> Iterator[int]:
    """A web server's port on all addresses of the machine, both families, and an abstract socket."""
    with contextlib.ExitStack() as stack:
        four = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        port = four.getsockname()[1]
        six = socket.create_server(("::", port), family=socket.AF_INET6)
        named = socket.socket(socket.AF_UNIX)
        named.bind(f"\0{abstract}")
        named.listen(16)
        for listener in (four, six, named):
            threading.Thread(target=_take, args=(listener,), daemon=True).start()
            stack.callback(listener.close)
            stack.callback(_shut, listener)
        yield port


@contextlib.contextmanager
def host_file(canary: str) -> Iterator[Path]:
    """A file that everybody on the machine may read."""
    folder = Path(tempfile.mkdtemp(prefix="senryu-escape-", dir="/var/lib"))
    folder.chmod(0o755)
    try:
        (folder / "canary").write_text(f"{canary}\n")
        yield folder / "canary"
    finally:
        shutil.rmtree(folder)


def platform_paths(copy: Copy) -> tuple[list[str], list[str]]:
    """What of the platform must not be found: directories and files; sockets."""
    inside = "db/senryu.db secrets/vault.key blobs/slugs repos builds cache logs router/haproxy.cfg tls agent agent/slugs agent/dynos run"
    places = [str(copy.home), *(f"{copy.home}/{name}" for name in inside.split()), str(CHECKOUT), "/run/senryu-lots"]
    return places, [str(path) for path in (copy.home / "run").iterdir() if path.is_socket()]


def host_addresses() -> tuple[list[str], list[str]]:
    """The machine's own addresses outside the loopback: IPv4, IPv6."""
    lines = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()
    found = [line.split()[3].split("/")[0] for line in lines if line.split()[1] not in ("lo",) and not line.split()[1].startswith("sn")]
    return [address for address in found if ":" not in address], [address for address in found if ":" in address]


def answers(address: str, port: int) -> bool:
    """Whether the machine itself gets there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), 2):
        return True
    return False


def _take(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def _shut(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _ip(*words: str) -> None:
    done = subprocess.run(("ip", *words), timeout=30, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {words}: {done.stderr}"
