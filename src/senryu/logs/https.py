"""Drains that take requests, as logplex makes them.

Source: https://devcenter.heroku.com/articles/log-drains#https-drains; logplex_http_drain
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Iterable
from typing import Any

import httpcore

from senryu.core import limits
from senryu.core.errors import Invalid
from senryu.core.log_drain import Receiver, backoff_max_s, https_frame, is_refusal
from senryu.core.log_line import LogLine
from senryu.logs.drain_buffer import Batch
from senryu.logs.drain_outlet import BadCertificate, Outcome, Outlet, Road, certificate_problem

_ANSWER_MAX_BYTES = 64 * limits.KIB
_UNREACHED = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)


class _JudgedConnections(httpcore.AsyncNetworkBackend):
    """Looks the host up and judges its addresses for each new connection, and connects to what was judged."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            address = await self._road.address(host, port)
        except Invalid as problem:
            raise httpcore.ConnectError(problem.message) from None
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class HttpsOutlet:
    """One connection to one receiver, kept between requests. Redirects are not followed."""

    batch_bytes = limits.DRAIN_BATCH_BYTES
    tries = limits.DRAIN_TRIES

    def __init__(self, receiver: Receiver, token: str, road: Road) -> None:
        self._receiver = receiver
        self._token = token
        self._road = road
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._opened_at = 0.0
        self._host = f"[{receiver.host}]" if ":" in receiver.host else receiver.host
        self._url = f"{receiver.scheme}://{self._host}:{receiver.port}{receiver.target}"

    def framed(self, line: LogLine) -> bytes:
        """See Outlet."""
        return https_frame(line)

    def delay_s(self, failures: int) -> float:
        """See Outlet."""
        return random.uniform(0.0, backoff_max_s(failures))

    async def send(self, batch: Batch, frame_id: str) -> Outcome:
        """See Outlet."""
        pool = await self._opened()
        timeouts = self._road.timeouts
        try:
            async with asyncio.timeout(limits.LOOKUP_TIMEOUT_S + timeouts.connect_s + timeouts.request_s):
                status = await self._post(pool, batch, frame_id)
        except _UNREACHED as error:
            await self.close()
            problem = certificate_problem(error)
            if problem is not None:
                raise BadCertificate(problem) from None
            return Outcome.UNREACHED
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, TimeoutError):
            await self.close()
            return Outcome.FAILED
        if 200 <= status < 300:
            return Outcome.TAKEN
        return Outcome.REFUSED if is_refusal(status) else Outcome.FAILED

    async def _post(self, pool: httpcore.AsyncConnectionPool, batch: Batch, frame_id: str) -> int:
        timeouts = self._road.timeouts
        each = {"connect": timeouts.connect_s, "read": timeouts.request_s, "write": timeouts.request_s, "pool": timeouts.request_s}
        request = pool.stream("POST", self._url, headers=self._headers(batch, frame_id), content=batch.body, extensions={"timeout": each})
        async with request as answer:
            size = 0
            async for chunk in answer.aiter_stream():
                size += len(chunk)
                if size > _ANSWER_MAX_BYTES:
                    break  # leaving closes the connection
            return int(answer.status)

    def _headers(self, batch: Batch, frame_id: str) -> list[tuple[str, str]]:
        receiver = self._receiver
        is_standard = {"https": 443, "http": 80}[receiver.scheme] == receiver.port
        headers = [
            ("Host", self._host if is_standard else f"{self._host}:{receiver.port}"),
            ("Content-Type", "application/logplex-1"),
            ("Content-Length", str(len(batch.body))),
            ("Logplex-Msg-Count", str(len(batch.frames))),
            ("Logplex-Frame-Id", frame_id),
            ("Logplex-Drain-Token", self._token),
            ("User-Agent", "Logplex/v1 (Senryu)"),
        ]
        if receiver.credentials:
            headers.append(("Authorization", "Basic " + base64.b64encode(receiver.credentials.encode()).decode()))
        return headers

    async def _opened(self) -> httpcore.AsyncConnectionPool:
        now = self._road.clock.monotonic()
        if self._pool is not None and now - self._opened_at > limits.DRAIN_CONNECTION_MAX_S:
            await self.close()
        if self._pool is None:
            self._opened_at = now
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=self._road.tls,
                max_connections=1,
                keepalive_expiry=random.uniform(limits.DRAIN_IDLE_MIN_S, limits.DRAIN_IDLE_MAX_S),
                network_backend=_JudgedConnections(self._road),
            )
        return self._pool

    async def close(self) -> None:
        """See Outlet."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()


_: type[Outlet] = HttpsOutlet
