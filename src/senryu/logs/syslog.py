"""Drains that speak syslog over a connection, plain or TLS, octet counted.

Source: RFC 6587 (3.4.1), RFC 5425; logplex_tcpsyslog_drain, logplex_tlssyslog_drain
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from senryu.core import limits
from senryu.core.errors import Invalid
from senryu.core.log_drain import Receiver, reconnect_delay_s, syslog_frame
from senryu.core.log_line import LogLine
from senryu.logs.drain_buffer import Batch
from senryu.logs.drain_outlet import BadCertificate, Outcome, Outlet, Road, certificate_problem, tls_of


class _Connection:
    """An open connection. What the receiver says is read and thrown away, so that its end is noticed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, monotonic: Callable[[], float]) -> None:
        self._writer = writer
        self._monotonic = monotonic
        # A write is over when the kernel has all of it. Not 0: asyncio 3.11 would then hold up TLS writers when nothing is left to write.
        writer.transport.set_write_buffer_limits(high=1, low=0)
        self._listening = asyncio.create_task(_read_out(reader), name="drain:listen")
        self._idle_s = random.uniform(limits.DRAIN_IDLE_MIN_S, limits.DRAIN_IDLE_MAX_S)
        self._opened_at = self._used_at = monotonic()

    @property
    def is_usable(self) -> bool:
        """Whether the receiver still listens, and the connection is neither old nor long unused."""
        now = self._monotonic()
        is_fresh = now - self._used_at < self._idle_s and now - self._opened_at < limits.DRAIN_CONNECTION_MAX_S
        return is_fresh and not self._listening.done() and not self._writer.is_closing()

    async def write(self, content: bytes) -> None:
        self._used_at = self._monotonic()
        self._writer.write(content)
        await self._writer.drain()

    async def close(self) -> None:
        self._listening.cancel()
        self._writer.transport.abort() if self._writer.is_closing() else self._writer.close()
        try:
            async with asyncio.timeout(limits.DRAIN_CONNECT_TIMEOUT_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


async def _read_out(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(4096):
            pass
    except OSError:
        return


class SyslogOutlet:
    """One connection to one receiver, opened when there is something to send. What a dying one was handed is lost: at most once."""

    batch_bytes = limits.DRAIN_PACKET_BYTES
    tries = 1

    def __init__(self, receiver: Receiver, token: str, road: Road) -> None:
        self._receiver = receiver
        self._token = token
        self._road = road
        self._connection: _Connection | None = None
        self._tried_at = float("-inf")

    def framed(self, line: LogLine) -> bytes:
        """See Outlet."""
        return syslog_frame(line, self._token)

    def delay_s(self, failures: int) -> float:
        """See Outlet."""
        return reconnect_delay_s(failures, self._since_last_s())

    async def send(self, batch: Batch, frame_id: str) -> Outcome:
        """See Outlet."""
        if self._connection is not None and not self._connection.is_usable:
            await self.close()
        if self._connection is None:
            if self._since_last_s() < limits.DRAIN_RECONNECT_MIN_S:
                return Outcome.UNREACHED
            try:
                self._connection = await self._connect()
            except (OSError, TimeoutError, Invalid) as error:
                problem = certificate_problem(error)
                if problem is not None:
                    raise BadCertificate(problem) from None
                return Outcome.UNREACHED
        try:
            async with asyncio.timeout(self._road.timeouts.send_s):
                await self._connection.write(batch.body)
        except (OSError, TimeoutError):
            await self.close()
            return Outcome.FAILED
        return Outcome.TAKEN

    async def _connect(self) -> _Connection:
        self._tried_at = self._road.clock.monotonic()
        host, port = self._receiver.host, self._receiver.port
        address, tls = await self._road.address(host, port), tls_of(self._receiver, self._road)
        async with asyncio.timeout(self._road.timeouts.connect_s):
            streams = await asyncio.open_connection(address, port, ssl=tls, server_hostname=host if tls else None)
        return _Connection(*streams, self._road.clock.monotonic)

    def _since_last_s(self) -> float:
        return self._road.clock.monotonic() - self._tried_at

    async def close(self) -> None:
        """See Outlet."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


_: type[Outlet] = SyslogOutlet
