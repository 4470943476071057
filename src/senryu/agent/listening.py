"""Whether a dyno accepts connections, as the kernel tells it in /proc/PID/net/tcp. Source: proc(5)."""

from __future__ import annotations

import ipaddress
import struct
from enum import Enum
from pathlib import Path

_LISTEN = "0A"


class Listening(Enum):
    """Who can connect to the dyno's port."""

    NOT = "not"
    LOCALLY = "locally"
    YES = "yes"


def in_tables(tables: str, port: int, address: str) -> Listening:
    """What the text of /proc/PID/net/tcp and tcp6 says about `port` of the dyno with `address`."""
    found = Listening.NOT
    wanted = f"{port:04X}"
    for line in tables.splitlines():
        words = line.split()
        if len(words) < 4 or words[3] != _LISTEN:
            continue
        host, _, bound = words[1].partition(":")
        if bound != wanted:
            continue
        where = _address(host)
        if where.is_unspecified or str(where) == address:
            return Listening.YES
        found = Listening.LOCALLY
    return found


def of_process(pid: int, port: int, address: str) -> Listening:
    """The same for the network namespace `pid` is in; NOT when it is gone."""
    tables = ""
    for name in ("tcp", "tcp6"):
        try:
            tables += Path(f"/proc/{pid}/net/{name}").read_text()
        except OSError:
            continue
    return in_tables(tables, port, address)


def _address(words: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    numbers = [int(words[start : start + 8], 16) for start in range(0, len(words), 8)]
    packed = struct.pack(f"={len(numbers)}I", *numbers)
    if len(packed) == 4:
        return ipaddress.IPv4Address(packed)
    six = ipaddress.IPv6Address(packed)
    return six.ipv4_mapped or six
