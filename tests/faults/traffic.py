"""Visitors that do not stop coming: a steady rate of requests, each on a connection of its own, and what became of every one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from system.rig import Copy

_TIMEOUT_S = 40.0
_AT_ONCE_MAX = 2_000
_LONGEST_S = 1_500.0
_SLOW_EVERY, _SLOW_MS = 4, 150  # so that there is always somebody in the middle of an answer


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: when it began and ended (monotonic seconds), its status (0: none), what went wrong, and what the answer said."""

    began: float
    ended: float
    status: int
    problem: str
    text: str

    @property
    def is_good(self) -> bool:
        return self.status == 200 and not self.problem


class Traffic:
    """`per_s` requests a second to an app, for as long as the `with` block lasts. Read `visits` afterwards, or `so_far` meanwhile."""

    def __init__(self, copy: Copy, app: str, per_s: int = 200) -> None:
        self._port, self._per_s = copy.port, per_s
        self._app = app
        self._visits: list[Visit] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=f"traffic:{app}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join(_TIMEOUT_S + 20)

    @property
    def visits(self) -> list[Visit]:
        """Every finished one, in the order of their ends."""
        return list(self._visits)

    def bad(self, *, outside: list[tuple[float, float]] | None = None) -> list[Visit]:
        """Those that failed, but for any that overlapped one of the times in `outside`."""
        times = outside or []
        return [v for v in self.visits if not v.is_good and not any(v.began < end and v.ended > start for start, end in times)]

    def told(self, bad: list[Visit]) -> str:
        """What failed, in words."""
        kinds = Counter((visit.status, visit.problem[:80]) for visit in bad)
        first = self.visits[0].began if self.visits else 0.0
        moments = ", ".join(f"{visit.began - first:.2f}-{visit.ended - first:.2f}" for visit in bad[:12])
        what = f"{len(bad)} of {len(self.visits)} requests failed: {dict(kinds)}"
        return f"{what}; in seconds from the first: {moments}; {bad[0].text[:300]!r}"

    async def _run(self) -> None:
        began, sent = time.monotonic(), 0
        running: set[asyncio.Task[None]] = set()
        while not self._is_over.is_set() and time.monotonic() - began < _LONGEST_S:
            while sent < (time.monotonic() - began) * self._per_s and len(running) < _AT_ONCE_MAX:
                path = f"/?ms={_SLOW_MS}" if sent % _SLOW_EVERY == 0 else "/"
                task = asyncio.create_task(self._visit(path))
                running.add(task)
                task.add_done_callback(running.discard)
                sent += 1
            await asyncio.sleep(0.005)
        if running:
            await asyncio.wait(running, timeout=_TIMEOUT_S)

    async def _visit(self, path: str) -> None:
        began = time.monotonic()
        status, problem, text = 0, "", ""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, text = await self._fetch(path)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            problem = f"{type(error).__name__} {error}"
        self._visits.append(Visit(began, time.monotonic(), status, problem, text))

    async def _fetch(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            host = f"{self._app}.localhost:{self._port}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
            body = await reader.readexactly(int(fields["content-length"])) if "content-length" in fields else await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return int(head.split(" ", 2)[1]), body.decode("utf-8", "replace")
