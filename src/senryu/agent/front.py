"""The platform's router as dynos reach it: at the gateway, under names that their /etc/hosts has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from .lot import Lot

_ANY = ("0.0.0.0", "::")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Front:
    """Where the router listens on this machine (`address`, empty: on the loopback), and the host name of object storage."""

    objects_host: str
    ports: tuple[int, ...]
    address: str = ""

    @property
    def target(self) -> str:
        """The IPv4 address that dynos' connections are led to; empty: the router has the gateway's, too."""
        if self.address in _ANY or (self.address and ip_address(self.address).version != 4):
            return ""
        return self.address or _LOOPBACK


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
