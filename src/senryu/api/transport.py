"""What holds for every answer: `Request-Id`, `RateLimit-Remaining`, `ETag`, and limits on what is read.

Source: https://devcenter.heroku.com/articles/platform-api-reference#caching, #request-id
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.limits import API_DRAIN_MAX_BYTES, API_DRAIN_TIMEOUT_S

_REQUEST_IDS_MAX_CHARS = 7 * 1024
_ETAG_MAX_BYTES = 4 * 1024 * 1024


class RequestIds:
    """Answers `Request-Id`: an id of ours before those the client sent, which are a list and not one UUID."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("request-id", "")
        given = given if len(given) <= _REQUEST_IDS_MAX_CHARS and given.isprintable() else ""
        own = str(uuid4())
        scope.setdefault("state", {})["request_id"] = own

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Request-Id"] = f"{own},{given}" if given else own
            await send(message)

        await self._app(scope, receive, with_id)


class CallsLeft:
    """Answers `RateLimit-Remaining` when the caller is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            left = scope.get("state", {}).get("calls_left")
            if left is not None and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["RateLimit-Remaining"] = str(left)
            await send(message)

        await self._app(scope, receive, counted)


class Drained:
    """Reads what is left of a request's body before an error is answered: the router gives up an answer that comes while it still sends,
    and the client would see half of it. Bounded in bytes and time; nothing of it is kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def reading() -> Message:
            nonlocal is_whole
            message = await receive()
            is_whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def drained(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400 and not is_whole:
                size = 0
                with suppress(TimeoutError):
                    async with asyncio.timeout(API_DRAIN_TIMEOUT_S):
                        while not is_whole and size <= API_DRAIN_MAX_BYTES:
                            size += len((await reading()).get("body", b""))
            await send(message)

        await self._app(scope, reading, drained)


class ETags:
    """Gives JSON answers to GET an `ETag` and answers 304 when the client has them already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None
        body = b""

        async def tagged(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if message["status"] not in (200, 206) or not kind.startswith("application/json"):
                    await send(message)
                    return
                start = message
                return
            if start is None:
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body", False) and len(body) <= _ETAG_MAX_BYTES:
                return
            await self._finish(start, body, message, wanted, send)
            start = None

        await self._app(scope, receive, tagged)

    async def _finish(self, start: Message, body: bytes, last: Message, wanted: str, send: Send) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = MutableHeaders(scope=start)
        headers["ETag"] = tag
        if wanted.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in wanted.split(",")]:
            del headers["content-length"]
            await send({**start, "status": 304})
            await send({"type": "http.response.body", "body": b""})
            return
        await send(start)
        await send({**last, "body": body})
