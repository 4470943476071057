"""Whether a dyno accepts connections, as the kernel tells it. Source: sock_diag(7), linux/inet_diag.h.

/proc/PID/net/tcp says the same, but the kernel walks all connections of the machine for it: 10 ms of processor for each look.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import threading
from collections.abc import Iterable
from enum import Enum
from queue import SimpleQueue

from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import mounts, netlink
from .netlink import Netlink

_SOCK_DIAG_BY_FAMILY = 20
_LISTEN = 10
_REQUEST = struct.Struct("=BBBBI48x")
# idiag_family, state, timer, retrans, then the address a socket is bound to: port (network order), peer's port, 16 bytes.
_ANSWER = struct.Struct("!BxxxH2x16s")
_ANSWER_BYTES = 72  # struct inet_diag_msg; attributes follow
_ATTRIBUTE = struct.Struct("=HH")
_V6ONLY = 11
_NOBODYS = ipaddress.IPv6Address("::1")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Listening(Enum):
    """Who can connect to the dyno's port."""

    NOT = "not"
    LOCALLY = "locally"
    YES = "yes"


class Listeners:
    """The listening sockets in the network namespace of a process. Close it."""

    def __init__(self, pid: int) -> None:
        """Raises: OSError when the process is gone."""
        self._netlink = _inside(pid)

    def on(self, port: int, address: str) -> Listening:
        """Who can connect to `port` of the dyno with `address`."""
        return judged(self._sockets(), port, address)

    def look(self, port: int, address: str) -> tuple[Listening, int]:
        """The same, and on which other port the dyno listens while nobody can connect to that one (0: on none)."""
        sockets = list(self._sockets())
        return judged(sockets, port, address), elsewhere(sockets, port)

    def _sockets(self) -> Iterable[tuple[Address, int]]:
        for family in (socket.AF_INET, socket.AF_INET6):
            wanted = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)
            for answer in self._netlink.ask(_SOCK_DIAG_BY_FAMILY, wanted, netlink.DUMP):
                yield _bound(answer)

    def close(self) -> None:
        """Gives the socket back."""
        self._netlink.close()


def check_kernel() -> None:
    """Raises: Unavailable when the kernel cannot tell who listens. Has it load the module when it is one."""
    listeners = Listeners(os.getpid())
    try:
        listeners.on(1, "")
    except OSError as error:
        raise Unavailable(f"The kernel does not tell who listens ({error.strerror}); load its modules inet_diag and tcp_diag.") from error
    finally:
        listeners.close()


def judged(sockets: Iterable[tuple[Address, int]], port: int, address: str) -> Listening:
    """What listening sockets, each an address and a port, mean for `port` of the dyno with `address`. Pure."""
    found = Listening.NOT
    for where, bound in sockets:
        if bound != port:
            continue
        if where.is_unspecified or str(where) == address:
            return Listening.YES
        found = Listening.LOCALLY
    return found


def elsewhere(sockets: Iterable[tuple[Address, int]], port: int) -> int:
    """The lowest other port that is listened on, when nothing listens on `port`; 0: none. Pure."""
    bound = {number for _, number in sockets}
    return min(bound, default=0) if port not in bound else 0


def _bound(answer: bytes) -> tuple[Address, int]:
    family, port, where = _ANSWER.unpack_from(answer)
    if family == socket.AF_INET:
        return ipaddress.IPv4Address(where[:4]), port
    six = ipaddress.IPv6Address(where)
    if six.is_unspecified and _is_v6only(answer[_ANSWER_BYTES:]):
        six = _NOBODYS  # a dyno's cable carries IPv4 only
    return six.ipv4_mapped or six, port


def _is_v6only(attributes: bytes) -> bool:
    while len(attributes) > _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _V6ONLY:
            return attributes[_ATTRIBUTE.size] == 1
        attributes = attributes[max((length + 3) & ~3, _ATTRIBUTE.size) :]
    return False


def _inside(pid: int) -> Netlink:
    """A socket made in the process's namespace, by a thread of its own: a thread cannot be trusted to come back from there."""
    made: SimpleQueue[Netlink | OSError] = SimpleQueue()

    def make() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                mounts.enter_network_namespace(namespace)
                made.put(Netlink(netlink.SOCK_DIAG))
            finally:
                os.close(namespace)
        except OSError as error:
            made.put(error)

    threading.Thread(target=make, name=f"listening:{pid}", daemon=True).start()
    answer = made.get(timeout=AGENT_TIMEOUT_S)
    if isinstance(answer, OSError):
        raise answer
    return answer
