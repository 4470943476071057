"""A write that a client repeats because its connection broke is done once: the second time it gets the first one's answer.

The official client repeats every method up to five times with the same `Request-Id` (wire contract section 2). What had an effect is
noted in the transaction that has it, so that a crash between the effect and the answer does not have it done twice either.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import Conflict, PlatformError, Unavailable
from ..core.limits import (
    API_BODY_MAX_BYTES,
    IDEMPOTENCY_S,
    IDEMPOTENCY_WAIT_S,
    IDEMPOTENT_ANSWER_MAX_BYTES,
    IDEMPOTENT_ANSWERS_MAX,
    REQUEST_HEADER_LINE_MAX_BYTES,
)
from ..core.two_factor import HEADER
from ..platform import Platform
from ..store.database import BEFORE_COMMIT, Transaction
from ..store.idempotent_answers import KeptAnswer, find_answer, keep_answer, mark_begun, prune_answers
from .errors import answer_to

_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_KEPT_HEADERS = ("content-type", "heroku-webhook-secret", "location")
_PRUNE_EVERY = 200
_INTERRUPTED = (
    "The platform was restarted while it did this, and it may have taken effect: look whether it did, then repeat it if need be."
)


@dataclass(slots=True)
class _Write:
    """One write under way. Its `mark` runs before each commit of its transactions; the first leaves a note."""

    key: str
    now: datetime
    is_marked: bool = False
    is_over: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def mark(self, tx: Transaction) -> None:
        if not self.is_marked and not self.is_over:
            await mark_begun(tx, self.key, self.now)
            self.is_marked = True


class _Recorded:
    """An answer that is held back until it is kept. One that is no JSON or too large goes out as it comes, and is not kept."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message | None = None
        self.body = b""
        self.is_whole = False
        self._is_held = True

    async def send(self, message: Message) -> None:
        if not self._is_held:
            await self._send(message)
            return
        if message["type"] == "http.response.start":
            self.start = message
            self._is_held = Headers(raw=message["headers"]).get("content-type", "").startswith("application/json")
            if not self._is_held:
                await self._send(message)
            return
        self.body += message.get("body", b"")
        self.is_whole = not message.get("more_body", False)
        if len(self.body) > IDEMPOTENT_ANSWER_MAX_BYTES and not self.is_whole:
            await self.release(is_last=False)

    async def release(self, *, is_last: bool = True) -> None:
        """Sends what was held back."""
        if self._is_held and self.start is not None:
            self._is_held = False
            await self._send(self.start)
            await self._send({"type": "http.response.body", "body": self.body, "more_body": not is_last})

    def kept(self) -> KeptAnswer | None:
        """What is worth keeping."""
        if not self._is_held or self.start is None or not self.is_whole or len(self.body) > IDEMPOTENT_ANSWER_MAX_BYTES:
            return None
        headers = Headers(raw=self.start["headers"])
        return KeptAnswer(
            self.start["status"], {name: headers[name] for name in _KEPT_HEADERS if name in headers}, self.body.decode("utf-8", "replace")
        )


class Idempotency:
    """See the module. Takes only requests with an Authorization header and a Request-Id; others go through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: dict[str, _Write] = {}
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers({})
        request_id, authorization = headers.get("request-id", ""), headers.get("authorization", "")
        is_meant = scope.get("method") in _WRITES and request_id and authorization and len(request_id) <= REQUEST_HEADER_LINE_MAX_BYTES
        if not is_meant:
            await self._app(scope, receive, send)
            return
        body, receive, is_whole = await _read(receive)
        if not is_whole:
            await self._app(scope, receive, send)
            return
        platform: Platform = scope["app"].state.platform
        where = scope["raw_path"] + b"?" + scope["query_string"]
        given = (authorization, request_id, headers.get(HEADER, ""))  # a code makes another request of it
        parts = (scope["method"].encode(), where, *(each.encode() for each in given))
        key = hmac.digest(platform.signing_key, b"\0".join((*parts, hashlib.sha256(body).digest())), "sha256").hex()
        await self._once(key, platform, scope, receive, send)

    async def _once(self, key: str, platform: Platform, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._await_first(key)
            write = _Write(key, platform.clock.now())
            self._under_way[key] = write
        except PlatformError as problem:
            await answer_to(problem)(scope, receive, send)
            return
        try:
            kept = await self._kept(key, platform, write)
            if kept is not None:
                await _replay(kept, scope, receive, send)
                return
            await self._carry_out(write, platform, scope, receive, send)
        except PlatformError as problem:  # the database does not answer: nothing was begun
            await answer_to(problem)(scope, receive, send)
        finally:
            write.is_over = True
            write.done.set()
            if self._under_way.get(key) is write:
                del self._under_way[key]

    async def _await_first(self, key: str) -> None:
        """Waits while the same write is under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IDEMPOTENCY_WAIT_S):
                while (first := self._under_way.get(key)) is not None:
                    await first.done.wait()
                return
        raise Unavailable("The same request is still being carried out; ask again in a moment.")

    async def _kept(self, key: str, platform: Platform, write: _Write) -> KeptAnswer | None:
        async with platform.db.reading() as tx:
            return await find_answer(tx, key, write.now - timedelta(seconds=IDEMPOTENCY_S), vault=platform.vault)

    async def _carry_out(self, write: _Write, platform: Platform, scope: Scope, receive: Receive, send: Send) -> None:
        recorded = _Recorded(send)
        token = BEFORE_COMMIT.set(write.mark)
        try:
            await self._app(scope, receive, recorded.send)
        finally:
            write.is_over = True
            BEFORE_COMMIT.reset(token)
        answer = recorded.kept()
        if answer is not None and (write.is_marked or (answer.status or 500) < 300):
            try:
                await self._keep(write, answer, platform)
            except PlatformError:
                pass  # it is done, and who asked is told so; only who asks again is not
        await recorded.release()

    async def _keep(self, write: _Write, answer: KeptAnswer, platform: Platform) -> None:
        self._count += 1
        async with platform.db.transaction() as tx:
            if not write.is_marked:
                await mark_begun(tx, write.key, write.now)
            await keep_answer(tx, write.key, answer, vault=platform.vault)
            if self._count % _PRUNE_EVERY == 1:
                await prune_answers(tx, write.now - timedelta(seconds=IDEMPOTENCY_S), most=IDEMPOTENT_ANSWERS_MAX)


async def _read(receive: Receive) -> tuple[bytes, Receive, bool]:
    """The body as far as it is looked at, a `receive` that gives it again, and whether that is all of it."""
    messages: list[Message] = []
    body, is_whole = b"", False
    while not is_whole and len(body) <= API_BODY_MAX_BYTES:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return body, again, is_whole


async def _replay(kept: KeptAnswer, scope: Scope, receive: Receive, send: Send) -> None:
    if kept.status is None:
        await answer_to(Conflict(_INTERRUPTED))(scope, receive, send)
        return
    body = kept.body.encode()
    headers = {**kept.headers, "content-length": str(len(body)), "idempotent-replay": "true"}
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": kept.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
