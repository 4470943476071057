"""GET requests at a steady rate: each is sent when it is due, whether or not those before have been answered.

A late answer counts from when it was due. Connections stay open; what cannot be sent within ten seconds of its time is a failure.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
CONNECTIONS = 16
_QUEUED_S = 10


@dataclass
class Answers:
    """Milliseconds of the answers that came, and how many of each status; 0 is none at all."""

    took_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def percentile(self, share: float) -> float:
        """Of the milliseconds."""
        return sorted(self.took_ms)[min(len(self.took_ms) - 1, int(len(self.took_ms) * share))]

    @property
    def failed(self) -> int:
        """How many had no 200."""
        return sum(self.statuses.values()) - self.statuses[200]


def by_port(port: int) -> Connect:
    """Through the router, as clients come."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


def by_socket(path: Path) -> Connect:
    """To senryud itself."""
    return lambda: asyncio.open_unix_connection(str(path))


def get(path: str, token: str, host: str) -> bytes:
    """A request as the official client sends it."""
    accept = "application/vnd.heroku+json; version=3"
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n\r\n".encode()


async def open_loop(connect: Connect, asks: Sequence[bytes], per_s: int, seconds: float, *, warm_s: float = 2) -> Answers:
    """Sends `asks` one after the other, again and again; those of the first `warm_s` are not counted."""
    due: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue(per_s * _QUEUED_S)
    answers = Answers()
    began = time.perf_counter()
    clients = [asyncio.create_task(_client(connect, due, answers, began + warm_s)) for _ in range(CONNECTIONS)]
    for number in range(int(per_s * (seconds + warm_s))):
        at = began + number / per_s
        if (left_s := at - time.perf_counter()) > 0:
            await asyncio.sleep(left_s)
        try:
            due.put_nowait((at, asks[number % len(asks)]))
        except asyncio.QueueFull:
            answers.statuses[0] += 1
    for _ in clients:
        await due.put(None)
    await asyncio.gather(*clients)
    return answers


async def _client(connect: Connect, due: asyncio.Queue[tuple[float, bytes] | None], answers: Answers, counted_from: float) -> None:
    reader, writer = await connect()
    while (wanted := await due.get()) is not None:
        at, ask = wanted
        try:
            writer.write(ask)
            status = await _answered(reader)
        except (OSError, EOFError):
            status = 0
            reader, writer = await connect()
        if at >= counted_from:
            answers.statuses[status] += 1
            answers.took_ms.append((time.perf_counter() - at) * 1000)
    writer.close()


async def _answered(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")), 0)
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
