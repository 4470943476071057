"""What every way out to a drain's receiver has in common."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from senryu.core import limits
from senryu.core.address import Resolver, checked_address
from senryu.core.clock import Clock
from senryu.core.log_drain import Receiver
from senryu.core.log_line import LogLine
from senryu.logs.drain_buffer import Batch


class Outcome(Enum):
    """What became of a batch."""

    TAKEN = "taken"
    REFUSED = "refused"  # for good: it would be refused again
    FAILED = "failed"  # it left and may or may not have come; one try is used up
    UNREACHED = "unreached"  # it never left


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a receiver may take, in seconds; logplex's figures."""

    connect_s: float = limits.DRAIN_CONNECT_TIMEOUT_S
    request_s: float = limits.DRAIN_REQUEST_TIMEOUT_S
    send_s: float = limits.DRAIN_SEND_TIMEOUT_S


class BadCertificate(Exception):
    """The receiver does not prove that it is the one the drain names (L14). Nothing was sent."""


class Outlet(Protocol):
    """One way to one receiver. Not for two batches at a time."""

    batch_bytes: int
    tries: int

    def framed(self, line: LogLine) -> bytes:
        """The line as the receiver gets it."""

    async def send(self, batch: Batch, frame_id: str) -> Outcome:
        """Sends a batch; takes a bounded time. Raises: BadCertificate."""

    def delay_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""

    async def close(self) -> None:
        """Lets go of the connection."""


@dataclass(frozen=True, slots=True)
class Road:
    """How receivers are reached: names looked up, addresses judged, certificates checked."""

    resolver: Resolver
    tls: ssl.SSLContext
    clock: Clock
    allow_private: bool = False
    timeouts: Timeouts = Timeouts()

    async def address(self, host: str, port: int) -> str:
        """The judged address to connect to. Raises: Invalid."""
        found = await self.resolver.addresses(host, port)
        return checked_address(found, port, what="the drain", allow_private=self.allow_private)


def tls_of(receiver: Receiver, road: Road) -> ssl.SSLContext | None:
    """What the connection is encrypted with, None for a plain one."""
    return road.tls if receiver.is_encrypted else None


def certificate_problem(error: BaseException | None) -> str | None:
    """What is wrong with a certificate or a TLS greeting, from the error or one that it came from; None when it is about something else."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message or "certificate verify failed"
        if isinstance(error, ssl.SSLError):
            return (error.reason or "no TLS").replace("_", " ").lower()
        error = error.__cause__ or error.__context__
    return None
