"""Requests to the kernel over a netlink socket. Source: netlink(7); linux/netlink.h.

Of our own, because the library for it holds 8 MB of every agent's memory and starts an event loop for each of its sockets.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from senryu.core.limits import AGENT_TIMEOUT_S

ROUTE, SOCK_DIAG = 0, 4
REPLACE, EXCLUSIVE, CREATE, DUMP = 0x100, 0x200, 0x400, 0x300
_REQUEST, _ACKNOWLEDGE = 0x1, 0x4
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_BUFFER_BYTES = 1 << 18


class Netlink:
    """One socket, in the network namespace of the thread that opens it. Used by one thread at a time, as `with`."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(AGENT_TIMEOUT_S)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Gives the socket back."""
        self._socket.close()

    def ask(self, kind: int, body: bytes, flags: int = 0) -> list[bytes]:
        """Sends a request; gives the bodies of all answers. Raises: OSError with the kernel's number; TimeoutError."""
        self._number += 1
        wanted = _REQUEST | flags | (0 if flags & DUMP == DUMP else _ACKNOWLEDGE)
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, wanted, self._number, 0) + body)
        answers: list[bytes] = []
        while True:
            for answered, content in self._received():
                if answered == _DONE:
                    return answers
                if answered == _ERROR:
                    _check(content)
                    return answers
                answers.append(content)

    def _received(self) -> Iterator[tuple[int, bytes]]:
        """Kind and body of each message of one datagram that answers the last request."""
        datagram = self._socket.recv(_BUFFER_BYTES)
        start = 0
        while start + _HEADER.size <= len(datagram):
            size, kind, _, number, _ = _HEADER.unpack_from(datagram, start)
            if number == self._number:
                yield kind, datagram[start + _HEADER.size : start + size]
            start += max(_HEADER.size, size + 3 & ~3)


def _check(content: bytes) -> None:
    number = -struct.unpack_from("=i", content)[0]
    if number:
        raise OSError(number, os.strerror(number))


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    """An attribute that ends with a zero."""
    return attribute(kind, value.encode() + b"\0")
