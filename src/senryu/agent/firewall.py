"""What dynos may reach, as an nftables script. Pure.

Out to the Internet (NAT), in from the host only; never other dynos, the local network or cloud metadata, nor the host's own ports but
the router's where the Internet finds them.
Source: nft(8); IANA special-purpose address registry (RFC 6890).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from senryu.core.address import NOT_THE_INTERNET
from senryu.core.reach import DATABASE_PORTS

from .front import Front, as_visited
from .lot import Lot

CONNECTIONS_PER_DYNO = 2048
# PostgreSQL counts a connection before it knows whose it is, and has one number of them for all tenants.
DATABASE_CONNECTIONS_PER_DYNO = 100
# The router takes 8,192 from everybody, of which a tenant's few dynos are not to hold most: as visitors and for object storage together.
VISITS_PER_DYNO = 256


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL server of the operator's: dynos with a grant for its port reach it, also on a private network or on this machine.

    `host` is a name or an IPv4 address.
    """

    host: str
    port: int


# Who may reach which ports; where the operator's own database is; who holds how many connections.
_SETS = """\
  set grants {
    type ipv4_addr . inet_service
  }
  set databases {
    type ipv4_addr . inet_service
  }
  set connections {
    type ipv4_addr
    size 65535
    flags dynamic
  }
  set database_connections {
    type ipv4_addr
    size 65535
    flags dynamic
  }
  set visits {
    type ipv4_addr
    size 65535
    flags dynamic
  }
"""
_COUNTING = f"""\
  chain counted {{
    ct state new add @database_connections {{ ip saddr ct count over {DATABASE_CONNECTIONS_PER_DYNO} }} reject with tcp reset
  }}
  chain visiting {{
    ct state new add @visits {{ ip saddr ct count over {VISITS_PER_DYNO} }} reject with tcp reset
    ct state new add @connections {{ ip saddr ct count over {CONNECTIONS_PER_DYNO} }} drop
    accept
  }}
"""
_DATABASE_RULE = "    ip daddr . tcp dport @databases ip saddr . tcp dport @grants accept\n"


def script(lot: Lot, resolvers: Sequence[str], front: Front | None = None) -> str:
    """The whole table of a lot, replacing what was there.

    `resolvers` are the DNS servers dynos may ask though they are local; `front` is the router that they may visit as the Internet does.
    """
    dynos = f'"{lot.link_prefix}*"'
    return f"""\
table inet {lot.table}
delete table inet {lot.table}
table inet {lot.table} {{
{_SETS}  chain arriving {{
    type filter hook prerouting priority mangle; policy accept;
    iifname {dynos} meta nfproto ipv6 drop
    iifname {dynos} fib saddr . iif oif 0 drop
  }}
  chain to_host {{
    type filter hook input priority filter - 5; policy accept;
    iifname != {dynos} return
    ct state established,related accept
    ct status dnat ct original ip daddr {lot.gateway} jump visiting
{_DATABASE_RULE}    ip saddr . tcp dport @grants jump granted
{_visitor_rule(front)}    drop
  }}
{_COUNTING}  chain granted {{
    ip daddr != {lot.gateway} return
    tcp dport {{ {_ports(DATABASE_PORTS)} }} jump counted
{_objects_rule(front)}    accept
  }}
  chain through_host {{
    type filter hook forward priority filter - 5; policy accept;
    iifname {dynos} jump from_dyno
    oifname {dynos} ct state established,related accept
    oifname {dynos} drop
  }}
  chain from_dyno {{
    oifname "sn*-*" drop
    ct state established,related accept
{_resolver_rules(resolvers)}{_DATABASE_RULE}    ip daddr {{ {", ".join(NOT_THE_INTERNET)} }} drop
    ct state new add @connections {{ ip saddr ct count over {CONNECTIONS_PER_DYNO} }} drop
    accept
  }}
  chain leaving {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {lot.subnet} oifname != {dynos} masquerade
  }}
}}
"""


def _visitor_rule(front: Front | None) -> str:
    return "".join(f"    {visited} jump visiting\n" for visited in as_visited(front))


def _objects_rule(front: Front | None) -> str:
    return f"    tcp dport {{ {_ports(front.ports)} }} jump visiting\n" if front and front.ports else ""


def _ports(ports: Sequence[int]) -> str:
    return ", ".join(str(port) for port in ports)


def granting(lot: Lot, grants: Sequence[tuple[str, int]]) -> str:
    """Lets dynos, by their addresses, reach ports of the gateway that others may not."""
    return f"add element inet {lot.table} grants {{ {_pairs(grants)} }}\n" if grants else ""


def revoking(lot: Lot, grants: Sequence[tuple[str, int]]) -> str:
    """Undoes `granting`, whether or not it was done."""
    return granting(lot, grants) + f"delete element inet {lot.table} grants {{ {_pairs(grants)} }}\n" if grants else ""


def leading_to_database(lot: Lot, database: Database, addresses: Sequence[str]) -> str:
    """The operator's own database is at these addresses from now on, and nowhere else; connections there are go on."""
    added = f"add element inet {lot.table} databases {{ {_pairs([(each, database.port) for each in addresses])} }}\n" if addresses else ""
    return f"flush set inet {lot.table} databases\n{added}"


def _pairs(grants: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{address} . {port}" for address, port in grants)


def removal(lot: Lot) -> str:
    """Takes the table away, whether or not it is there."""
    return f"table inet {lot.table}\ndelete table inet {lot.table}\n"


def resolvers_in(resolv_conf: str) -> list[str]:
    """The IPv4 name servers of a resolv.conf that a dyno could reach: not those on the loopback."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                address = ipaddress.ip_address(words[1])
            except ValueError:
                continue
            if address.version == 4 and not address.is_loopback:
                found.append(str(address))
    return found


def _resolver_rules(resolvers: Sequence[str]) -> str:
    if not resolvers:
        return ""
    servers = "{ " + ", ".join(resolvers) + " }"
    return f"    ip daddr {servers} udp dport 53 accept\n    ip daddr {servers} tcp dport 53 accept\n"
