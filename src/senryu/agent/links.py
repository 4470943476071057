"""Links, addresses and routes of a network namespace. Source: rtnetlink(7), veth(4); linux/if_link.h, linux/rtnetlink.h."""

from __future__ import annotations

import errno
import socket
import struct

from . import netlink
from .netlink import CREATE, EXCLUSIVE, REPLACE, attribute, number, text

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE, _DELROUTE = 16, 17, 18, 20, 24, 25
_IFNAME, _MTU, _LINKINFO, _NET_NS_FD = 3, 4, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_ADDRESS, _LOCAL = 1, 2
_DST, _OIF, _GATEWAY, _PREFSRC, _METRICS = 1, 4, 5, 7, 8
_QUICK_ACK = 15
_UP = 1
_TABLE_MAIN, _BY_ADMINISTRATOR = 254, 4
_ANYWHERE, _ON_LINK = 0, 253
_UNICAST, _UNREACHABLE = 1, 7


class Links(netlink.Netlink):
    """rtnetlink in the namespace of the thread that opens it. Every method raises OSError with the kernel's number."""

    def __init__(self) -> None:
        super().__init__(netlink.ROUTE)

    def index(self, name: str) -> int | None:
        """A link's number."""
        try:
            [answer] = self.ask(_GETLINK, _link() + text(_IFNAME, name))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return int(struct.unpack_from("=i", answer, 4)[0])

    def add_bridge(self, name: str) -> None:
        """A bridge without ports."""
        self.ask(_NEWLINK, _link() + text(_IFNAME, name) + attribute(_LINKINFO, text(_INFO_KIND, "bridge")), CREATE | EXCLUSIVE)

    def add_cable(self, name: str, mtu: int, *, end: str, namespace: int) -> None:
        """A veth pair: `name` here, up, and `end` in the open `namespace`, where it has to be set up by itself."""
        other = _link() + text(_IFNAME, end) + number(_MTU, mtu) + number(_NET_NS_FD, namespace)
        kind = text(_INFO_KIND, "veth") + attribute(_INFO_DATA, attribute(_VETH_PEER, other))
        here = _link(is_up=True) + text(_IFNAME, name) + number(_MTU, mtu)
        self.ask(_NEWLINK, here + attribute(_LINKINFO, kind), CREATE | EXCLUSIVE)

    def set_up(self, index: int) -> None:
        """Switches a link on."""
        self.ask(_NEWLINK, _link(index, is_up=True))

    def delete(self, name: str) -> None:
        """Deletes a link, if there is one."""
        try:
            self.ask(_DELLINK, _link() + text(_IFNAME, name))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def give_address(self, index: int, address: str) -> None:
        """Gives a link an IPv4 address of its own (/32); that it has it already is no error."""
        packed = socket.inet_aton(address)
        header = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, index)
        self.ask(_NEWADDR, header + attribute(_LOCAL, packed) + attribute(_ADDRESS, packed), CREATE | REPLACE)

    def route(self, address: str, index: int, *, source: str | None = None) -> None:
        """One IPv4 address is on a link; `source` is what this machine calls itself there.

        What arrives from there is acknowledged at once: an app that writes head and body of an answer one after the other would
        wait 40 ms between them on a kept connection (RFC 896 at its end, RFC 1122 4.2.3.2 at ours).
        """
        parts = attribute(_DST, socket.inet_aton(address)) + number(_OIF, index) + attribute(_METRICS, number(_QUICK_ACK, 1))
        if source is not None:
            parts += attribute(_PREFSRC, socket.inet_aton(source))
        self.ask(_NEWROUTE, _route(32, scope=_ON_LINK) + parts, CREATE | REPLACE)

    def default_route(self, gateway: str, index: int) -> None:
        """Everything else goes by a gateway on a link."""
        self.ask(_NEWROUTE, _route(0) + attribute(_GATEWAY, socket.inet_aton(gateway)) + number(_OIF, index), CREATE | REPLACE)

    def refuse(self, subnet: str) -> None:
        """What is for `subnet` (`10.64.0.0/19`) and has no route of its own goes nowhere."""
        self.ask(_NEWROUTE, _refused(subnet), CREATE | REPLACE)

    def stop_refusing(self, subnet: str) -> None:
        """Takes that back, if it is there."""
        try:
            self.ask(_DELROUTE, _refused(subnet))
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise


def _link(index: int = 0, *, is_up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _UP if is_up else 0, _UP if is_up else 0)


def _route(prefix: int, *, scope: int = _ANYWHERE, kind: int = _UNICAST) -> bytes:
    return struct.pack("=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, _TABLE_MAIN, _BY_ADMINISTRATOR, scope, kind, 0)


def _refused(subnet: str) -> bytes:
    address, _, prefix = subnet.partition("/")
    return _route(int(prefix), kind=_UNREACHABLE) + attribute(_DST, socket.inet_aton(address))
