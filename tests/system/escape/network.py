"""Other dynos, the machine's ports, the local network, cloud metadata; packets that are not what they say."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from functools import partial

from attempt import Refused, Targets, any_of, attempt, patience

_AT_ONCE = 16
_ANSWER_S = 1.5
_IP_TRANSPARENT, _IP_FREEBIND = 19, 15


def _connected(targets: Targets, place: str) -> str:
    """`address port`; a link-local address without a device is tried on eth0."""
    address, port = place.split()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_S * patience(targets))
        scope = socket.if_nametoindex("eth0") if address.startswith(("fe80:", "ff02:")) else 0
        connection.connect((address, int(port), 0, scope) if family == socket.AF_INET6 else (address, int(port)))
        return f"{place} answers"


def _asked(targets: Targets, place: str, question: bytes = b"hello") -> str:
    """Over UDP, where only an answer shows that it arrived."""
    address, port = place.split()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as talk:
        talk.settimeout(_ANSWER_S * patience(targets))
        talk.sendto(question, (address, int(port)))
        return f"{place} says {talk.recv(100)!r}"


def _any_connected(targets: Targets, kind: str) -> str | None:
    return any_of((partial(_connected, targets, place) for place in targets[kind]), _AT_ONCE)


for _name, _kind in {
    "connect to another app's dyno": "other_dynos",
    "connect to another dyno of its own app": "own_dynos",
    "connect to the machine's ports": "host",
    "connect to the machine's ports by IPv6": "host6",
    "connect to the Platform API on the loopback": "platform",
    "connect to the gateway's services": "gateway",
    "connect to the local network": "lan",
    "connect to the local network by IPv6": "lan6",
    "connect to cloud metadata": "metadata",
    "connect to cloud metadata by IPv6": "metadata6",
    "connect to link-local neighbours": "link_local",
}.items():
    attempt(_name)(partial(_any_connected, kind=_kind))


@attempt("be answered over UDP by the machine or the local network")
def over_udp(targets: Targets) -> str | None:
    return any_of((partial(_asked, targets, place) for place in targets["udp"]), _AT_ONCE)


@attempt("reach an inner address by a name that leads there")
def by_name(targets: Targets) -> str | None:
    # What a rebinding name server would answer; the firewall sees addresses only, whatever name they came from.
    known = socket.getaddrinfo

    def rebound(host: str, port: int, *_arguments: object, **_options: object) -> object:
        return known(host.removesuffix(".rebinding.example.com"), port, type=socket.SOCK_STREAM)

    socket.getaddrinfo = rebound  # type: ignore[assignment]

    def tried(place: str) -> str:
        address, port = place.split()
        with socket.create_connection((f"{address}.rebinding.example.com", int(port)), _ANSWER_S * patience(targets)):
            return f"{place} answers"

    return any_of([partial(tried, place) for place in (*targets["host"], *targets["metadata"], *targets["lan"])], _AT_ONCE)


@attempt("write into the log of another (syslog, journal)")
def forge_log(targets: Targets) -> str | None:
    line = b"<158>1 - host heroku router - - forged"
    places = [f"{place.split()[0]} {port}" for place in targets["gateway"] for port in (514, 6514, 601)]
    return any_of([partial(_asked, targets, place, line) for place in places], _AT_ONCE)


def _socket(_targets: Targets, *, family: int, kind: int, protocol: int) -> str:
    with socket.socket(family, kind, protocol):
        return "a socket"


for _name, _arguments in {
    "open a raw socket": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "open a raw socket for IP headers of its own": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
    "open a raw IPv6 socket": (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
    "sniff the bridge (packet socket)": (17, socket.SOCK_RAW, socket.htons(3)),
    "send ARP (packet socket)": (17, socket.SOCK_DGRAM, socket.htons(0x0806)),
    "open a vsock": (40, socket.SOCK_STREAM, 0),
    "open a kernel crypto socket": (38, socket.SOCK_SEQPACKET, 0),
    "open a bluetooth socket": (31, socket.SOCK_RAW, 1),
    "open an XDP socket": (44, socket.SOCK_RAW, 0),
    "listen to kernel audit": (16, socket.SOCK_RAW, 9),
    "ask the kernel's packet filter (netlink)": (16, socket.SOCK_RAW, 12),
    "ask the kernel's device events (netlink)": (16, socket.SOCK_RAW, 15),
}.items():
    attempt(_name)(partial(_socket, family=_arguments[0], kind=_arguments[1], protocol=_arguments[2]))


@attempt("take over another's address (transparent proxy)")
def transparent(targets: Targets) -> str | None:
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
        return "a transparent socket"


@attempt("send with another's address")
def spoof(targets: Targets) -> str | None:
    """The receiver counts what says that it is spoofed, and tells an honest packet how many came."""
    place = targets["elsewhere"][0]
    sources = [found.split()[0] for found in [*targets["other_dynos"], *targets["gateway"][:1]]] + ["8.8.8.8"]
    with contextlib.suppress(Refused):
        any_of(partial(_sent_from, source, place) for source in sources)
    counted = int(_asked(targets, place, b"count").rpartition("=")[2].strip("'"))
    return f"{counted} packets" if counted else any_of(partial(_sent_from, source, place) for source in sources)


def _sent_from(source: str, place: str) -> None:
    address, port = place.split()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talk:
        talk.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        talk.bind((source, 0))
        talk.sendto(b"spoofed", (address, int(port)))


@attempt("speak IPv6 beyond itself")
def speak_ipv6(targets: Targets) -> str | None:
    def shown(*words: str) -> str:
        command = ("ip", "-6", "-o", *words)
        return subprocess.run(command, capture_output=True, text=True, timeout=20 * patience(targets)).stdout.strip()

    return shown("route", "show", "default") or shown("address", "show", "scope", "global")


@attempt("listen on a port below 1024 of the machine")
def listen_low(targets: Targets) -> str | None:
    # Binding works, as it is the dyno's own network; nobody reaches it but the router at $PORT.
    address = targets["gateway"][0].split()[0]
    tries: list[Callable[[], str]] = [partial(_bound, address, 80), partial(_bound, targets["host"][-1].split()[0], 80)]
    return any_of(iter(tries))


def _bound(address: str, port: int) -> str:
    with socket.socket() as listener:
        listener.bind((address, port))
        return f"{address}:{port}"


@attempt("make a network device (netlink)")
def make_device(targets: Targets) -> str | None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        name = b"\x0b\x00\x03\x00escape0\x00"
        body = struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + name.ljust(12, b"\0") + b"\x10\x00\x12\x00\x09\x00\x01\x00dummy\x00\x00\x00"
        netlink.send(struct.pack("=IHHII", 16 + len(body), 16, 0x0605, 1, 0) + body)
        netlink.settimeout(_ANSWER_S * patience(targets))
        error = -struct.unpack_from("=i", netlink.recv(1000), 16)[0]
    if error:
        raise OSError(error, os.strerror(error))
    return "a device"
