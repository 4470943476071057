"""The platform's router as dynos reach it: at the gateway, under names that their /etc/hosts has; and where the Internet does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address

from senryu.core.address import NOT_THE_INTERNET, is_lan_address

from .lot import Lot

_ANY = ("0.0.0.0", "::")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Front:
    """Where the router listens on this machine (`address`, empty: on the loopback), and the host name of object storage.

    `lan_address` is a private address of this machine that apps' names lead to, where dynos may visit the router, too.
    """

    objects_host: str
    ports: tuple[int, ...]
    address: str = ""
    lan_address: str = ""

    @property
    def target(self) -> str:
        """The IPv4 address that dynos' connections are led to; empty: the router has the gateway's, too."""
        if self.address in _ANY or (self.address and ip_address(self.address).version != 4):
            return ""
        return self.address or _LOOPBACK


def as_visited(front: Front | None) -> list[str]:
    """What nft calls connections to the router at an address of this machine that the Internet may know, and at `lan_address`. Pure.

    None when the router is at none of these: it listens on the loopback, at another private address, or by IPv6, which dynos have not.
    """
    if front is None or not front.ports:
        return []
    private, ports = ", ".join(NOT_THE_INTERNET), ", ".join(str(port) for port in front.ports)
    is_anywhere, found = front.address in _ANY, []
    if is_anywhere or _is_in_the_internet(front.address):
        where = "" if is_anywhere else f"ip daddr {front.address} "
        found.append(f"{where}fib daddr type local ip daddr != {{ {private} }} tcp dport {{ {ports} }}")
    if is_lan_address(front.lan_address) and (is_anywhere or front.address == front.lan_address):
        found.append(f"ip daddr {front.lan_address} fib daddr type local tcp dport {{ {ports} }}")
    return found


def _is_in_the_internet(address: str) -> bool:
    try:
        return not any(IPv4Address(address) in IPv4Network(network) for network in NOT_THE_INTERNET)
    except ValueError:
        return False


def hosts_lines(front: Front | None, gateway: str, buckets: Sequence[str]) -> str:
    """The lines of a dyno's /etc/hosts for object storage and its buckets. Pure."""
    if front is None:
        return ""
    names = [front.objects_host, *(f"{bucket}.{front.objects_host}" for bucket in buckets)]
    return "".join(f"{gateway}\t{name}\n" for name in names)


def leading(lot: Lot, front: Front) -> str:
    """nft commands that lead dynos with a grant from the gateway to the router; saying them again changes nothing. Pure."""
    ports = ", ".join(str(port) for port in front.ports)
    place = f"inet {lot.table} to_router"
    who = f'iifname "{lot.link_prefix}*" ip daddr {lot.gateway} ip saddr . tcp dport @grants tcp dport {{ {ports} }}'
    return "\n".join(
        (
            f"add chain {place} {{ type nat hook prerouting priority dstnat; policy accept; }}",
            f"flush chain {place}",
            *([f"add rule {place} {who} dnat ip to {front.target}"] if front.target else []),
            "",
        )
    )
