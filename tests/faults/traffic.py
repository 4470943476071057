"""Visitors that do not stop coming: a steady rate of requests, each on a connection of its own, and what became of every one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import uuid4

from system.person import App

_TIMEOUT_S = 100.0  # nobody gives up before the router does
# Fewer than a dyno takes at once (limits.REQUESTS_PER_DYNO): on a machine that is too busy for the rate visitors come later, and the
# router has no reason to turn anybody away.
_AT_ONCE_MAX = 150
_LONGEST_S = 1_500.0
_SLOW_EVERY, _SLOW_MS = 4, 150  # so that there is always somebody in the middle of an answer
_POST_EVERY = 5  # what a router may not send twice
_CODE = re.compile(r"code=(H\d\d) .*request_id=([0-9a-f]{32}) ")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: its id, when it began and ended (monotonic seconds), its status (0: none), what went wrong, what the answer said."""

    id: str
    began: float
    ended: float
    status: int
    problem: str
    text: str

    @property
    def is_good(self) -> bool:
        return self.status == 200 and not self.problem


class Traffic:
    """`per_s` requests a second to an app, as far as the machine gets, for as long as the `with` block lasts."""

    def __init__(self, app: App, per_s: int = 200) -> None:
        self._copy, self._per_s, self._app = app.copy, per_s, app.name
        self._app_id = app.id()
        self._visits: list[Visit] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=f"traffic:{app.name}")

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
        codes = self._codes()
        kinds = Counter((visit.status, visit.problem[:80], codes.get(visit.id, "not in the log")) for visit in bad)
        first = self.visits[0].began if self.visits else 0.0
        moments = ", ".join(f"{visit.began - first:.2f}-{visit.ended - first:.2f}" for visit in bad[:12])
        what = f"{len(bad)} of {len(self.visits)} requests failed: {dict(kinds)}"
        return f"{what}; in seconds from the first: {moments}; {bad[0].text[:300]!r}" if bad else what

    def summary(self) -> str:
        """`12,000 requests in 60 s (200 a second), 0 lost`."""
        visits = self.visits
        took = visits[-1].ended - visits[0].began if visits else 0.0
        return f"{len(visits):,} requests in {took:.0f} s ({len(visits) / max(took, 0.1):.0f} a second), {len(self.bad())} lost"

    def _codes(self) -> dict[str, str]:
        """The router's codes by request, from all that is kept of the app's log."""
        files = sorted((self._copy.home / "logs" / self._app_id).glob("*.log"))
        return {id: code for file in files for code, id in _CODE.findall(file.read_text(errors="replace"))}

    async def _run(self) -> None:
        began, sent = time.monotonic(), 0
        running: set[asyncio.Task[None]] = set()
        while not self._is_over.is_set() and time.monotonic() - began < _LONGEST_S:
            while sent < (time.monotonic() - began) * self._per_s and len(running) < _AT_ONCE_MAX:
                path = f"/?ms={_SLOW_MS}" if sent % _SLOW_EVERY == 0 else "/"
                task = asyncio.create_task(self._visit(path, "POST" if sent % _POST_EVERY == 0 else "GET"))
                running.add(task)
                task.add_done_callback(running.discard)
                sent += 1
            await asyncio.sleep(0.005)
        if running:
            await asyncio.wait(running, timeout=_TIMEOUT_S)

    async def _visit(self, path: str, method: str) -> None:
        id, began = uuid4().hex, time.monotonic()
        status, problem, text = 0, "", ""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, text = await self._fetch(path, method, id)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            problem = f"{type(error).__name__} {error}"
        self._visits.append(Visit(id, began, time.monotonic(), status, problem, text))

    async def _fetch(self, path: str, method: str, id: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._copy.port)
        try:
            length = f"Content-Length: {len(id)}\r\n" if method == "POST" else ""
            fields = f"Host: {self._app}.localhost:{self._copy.port}\r\nX-Request-Id: {id}\r\n{length}Connection: close\r\n"
            writer.write(f"{method} {path} HTTP/1.1\r\n{fields}\r\n{id if length else ''}".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            answered = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
            body = await reader.readexactly(int(answered["content-length"])) if "content-length" in answered else await reader.read()
            if method == "POST" and not body.endswith(id.encode()):
                raise ValueError("the answer is another request's, or half of one")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return int(head.split(" ", 2)[1]), body.decode("utf-8", "replace")
