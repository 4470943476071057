"""Addresses that carry their own permission: signed, expiring, good for one thing.

The wire contract's clients fetch streams and upload sources without credentials.
"""

from __future__ import annotations

import base64
import hmac
import re
from contextvars import ContextVar
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ..core.errors import NotFound
from ..platform import Platform

_ORIGIN: ContextVar[str | None] = ContextVar("origin", default=None)
_HOST = re.compile(r"^[A-Za-z0-9.-]{1,253}(:\d{1,5})?\Z|^\[[0-9a-fA-F:]{2,45}\](:\d{1,5})?\Z")

STREAM_S = 24 * 3600
UPLOAD_S = 3600


class Origins:
    """Notes the scheme and host a client used, so that the addresses it is given lead back the way it came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, scheme = headers.get("host", ""), headers.get("x-forwarded-proto", "http")
            _ORIGIN.set(f"{scheme}://{host}" if _HOST.match(host) and scheme in ("http", "https") else None)
        await self._app(scope, receive, send)


def origin(platform: Platform) -> str:
    """Where the client of this request reaches the platform, such as `https://api.example.com`."""
    return _ORIGIN.get() or platform.settings.api_url


def _signature(purpose: str, id: UUID, expires: int, key: bytes) -> str:
    digest = hmac.digest(key, f"{purpose}\n{id}\n{expires}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:24]).decode()


def signed(purpose: str, id: UUID, lasts_s: int, platform: Platform) -> str:
    """A token for one thing and purpose."""
    expires = int(platform.clock.now().timestamp()) + lasts_s
    return f"{id}.{expires}.{_signature(purpose, id, expires, platform.signing_key)}"


def opened(purpose: str, token: str, platform: Platform) -> UUID:
    """The thing a token is for. Raises: NotFound when it is not ours, for another purpose, or has expired."""
    unknown = NotFound("This address has expired or never was; ask the API for a new one.")
    try:
        id_text, expires_text, signature = token.split(".")
        id, expires = UUID(id_text), int(expires_text)
    except ValueError:
        raise unknown from None
    is_ours = hmac.compare_digest(signature.encode(), _signature(purpose, id, expires, platform.signing_key).encode())
    if not is_ours or expires < platform.clock.now().timestamp():
        raise unknown
    return id


def stream_url(stream_id: UUID, platform: Platform) -> str:
    """Where the output of a build or release phase can be read."""
    return f"{origin(platform)}/senryu/streams/{signed('stream', stream_id, STREAM_S, platform)}"


def stream_token(token: str, platform: Platform) -> UUID:
    """The stream of a token. Raises: NotFound."""
    return opened("stream", token, platform)
