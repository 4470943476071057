"""Log sessions: a URL that says by itself who may read what, and the stream of events behind it.

Source: schema `log-session`; https://html.spec.whatwg.org/multipage/server-sent-events.html; the Heroku CLI sends no credentials there.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from senryu.core import limits
from senryu.core.errors import Forbidden, NotFound
from senryu.core.log_line import LogFilter, LogLine, LogReader, formatted

RETRY_MS: Final = 3000
PING_S: Final = 30.0  # clients of Node give up after 300 silent seconds
_FRAME_LINES: Final = 200
_PURPOSE: Final = b"senryu log session 1\n"  # the key may sign other things too


class LogSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the holder of a URL may read: one app's lines, until `expires_at`.

    `lines` of history first (at most limits.LOG_HISTORY_LINES), then, if `is_tail`, what comes.
    """

    app_id: UUID
    expires_at: datetime
    lines: int = 100
    is_tail: bool = False
    source: str | None = None
    dyno: str | None = None

    @property
    def wanted(self) -> LogFilter:
        """The filter of its reader."""
        return LogFilter(self.source, self.dyno)


def signed(session: LogSession, key: bytes) -> str:
    """The session as a token of URL-safe characters, which only the holder of `key` (32 bytes) can make."""
    payload = msgspec.json.encode(session)
    return f"{_text(payload)}.{_text(_signature(payload, key))}"


def opened(token: str, key: bytes, now: datetime) -> LogSession:
    """The session a token was made of.

    Raises: NotFound when it was not made with this key, Forbidden when it has expired (the CLI says so on both).
    """
    unknown = NotFound("There is no such log session. Ask for a new one with `senryu logs`.")
    payload_text, _, signature_text = token.partition(".")
    try:
        payload, signature = _bytes(payload_text), _bytes(signature_text)
    except (binascii.Error, ValueError):
        raise unknown from None
    if not hmac.compare_digest(signature, _signature(payload, key)):
        raise unknown
    try:
        session = msgspec.json.decode(payload, type=LogSession)
    except msgspec.DecodeError:
        raise unknown from None
    if now >= session.expires_at:
        raise Forbidden("The log session has expired. Ask for a new one with `senryu logs`.")
    return session


def _signature(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + payload, "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


async def sse(
    reader: LogReader, session: LogSession, last_event_id: str | None = None, *, ping_s: float = PING_S
) -> AsyncGenerator[bytes, None]:
    """The session as Server-Sent Events: one event a line, `id` its seq. Ends after the history, or never with `is_tail`.

    Takes: `last_event_id`, what a reconnecting client saw last; it goes on behind that. A silent stream gets a comment every `ping_s`.
    """
    yield f"retry: {RETRY_MS}\n\n".encode()
    seen = _seq(last_event_id)
    after = seen or 0
    if seen is None or not session.is_tail:
        wanted_lines = min(max(session.lines, 0), limits.LOG_HISTORY_LINES)
        if wanted_lines == 0:
            newest = await reader.history(session.app_id, LogFilter(), 1)
            after = newest[-1].seq if newest else 0
        history = await reader.history(session.app_id, session.wanted, wanted_lines)
        for frame in _frames([line for line in history if line.seq > (seen or 0)]):
            yield frame
        after = history[-1].seq if history else after
    if not session.is_tail:
        return
    async with aclosing(_with_pings(reader.tail(session.app_id, session.wanted, after), ping_s)) as batches:
        async for batch in batches:
            if not batch:
                yield b": ping\n\n"
            for frame in _frames(batch):
                yield frame


def _seq(last_event_id: str | None) -> int | None:
    text = (last_event_id or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _frames(lines: Sequence[LogLine]) -> Iterator[bytes]:
    for start in range(0, len(lines), _FRAME_LINES):
        part = lines[start : start + _FRAME_LINES]
        yield "".join([f"id: {line.seq}\ndata: {formatted(line)}\n\n" for line in part]).encode()


async def _with_pings(batches: AsyncIterator[list[LogLine]], ping_s: float) -> AsyncGenerator[list[LogLine], None]:
    """The batches, and an empty one for every `ping_s` seconds without."""
    pending: asyncio.Task[list[LogLine] | None] | None = None
    try:
        while True:
            pending = pending or asyncio.create_task(_next(batches), name="logs:tail")
            done, _ = await asyncio.wait({pending}, timeout=ping_s)
            if not done:
                yield []
                continue
            batch = pending.result()
            pending = None
            if batch is None:
                return
            yield batch
    finally:
        if pending is not None:
            pending.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await pending
        close = getattr(batches, "aclose", None)
        if close is not None:
            await close()


async def _next(batches: AsyncIterator[list[LogLine]]) -> list[LogLine] | None:
    return await anext(batches, None)
