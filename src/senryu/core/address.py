"""Addresses users name (log drains, webhooks, sources): which of them the platform may connect to for a user.

It must not be made to speak to its own machine, its own network or a cloud's metadata for anybody. Names are looked up once, all their
addresses are judged here, and the one that was judged is the one connected to.
Source: https://www.iana.org/assignments/iana-ipv4-special-registry, /iana-ipv6-special-registry; RFC 6052 (NAT64), RFC 3056 (6to4).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

from .errors import Invalid

# IPv4 of machines, private networks and groups, for packet filters. Those for documentation and benchmarks lead nowhere by themselves.
NOT_THE_INTERNET: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
)
_LAN: Final = tuple(IPv4Network(network) for network in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"))
DYNOS: Final = IPv4Network("10.64.0.0/11")
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_EXCHANGES: Final = (IPv6Network("::/96"), IPv6Network("2001::/32"), IPv6Network("fec0::/10"))  # IPv4-compatible, Teredo, site-local
_LOW_PORTS: Final = frozenset({80, 443, 514, 601})
_FIRST_FREE_PORT: Final = 1024


class Resolver(Protocol):
    """Looks up names. The real one is in `resolver.py`."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host, most wanted first; an address gives itself. Raises: Invalid when there is none."""


def is_lan_address(address: str) -> bool:
    """Whether it is an IPv4 address that a machine has in a private network, and not one of the dynos' own network."""
    try:
        found = IPv4Address(address)
    except ValueError:
        return False
    return found not in DYNOS and any(found in network for network in _LAN)


def is_public(address: str) -> bool:
    """Whether an IP address leads out into the Internet. One that holds another (mapped, NAT64, 6to4) is judged by both."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is not None:
            return is_public(str(inner))
        if any(found in network for network in _EXCHANGES):
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def _inner(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def checked_address(addresses: Sequence[str], port: int, *, what: str, allow_private: bool = False) -> str:
    """The address to connect to: the first, when all are public and the port is not one of another service's.

    Takes: `what`, the thing the address is for, as in "the drain". Raises: Invalid.
    """
    if allow_private and addresses:
        return addresses[0]
    if not addresses or not all(is_public(address) for address in addresses):
        raise Invalid(f"The address of {what} leads into a private network; use one that is reachable from the Internet.")
    if port < _FIRST_FREE_PORT and port not in _LOW_PORTS:
        raise Invalid(f"The address of {what} has port {port}; use {', '.join(map(str, sorted(_LOW_PORTS)))} or one above 1023.")
    return addresses[0]
