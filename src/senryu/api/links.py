"""Addresses that carry their own permission: signed, expiring, good for one thing.

The wire contract's clients fetch streams and upload sources without credentials.
"""

from __future__ import annotations

import base64
import hmac
from uuid import UUID

from ..core.errors import NotFound
from ..platform import Platform

STREAM_S = 24 * 3600
UPLOAD_S = 3600


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
    return f"{platform.settings.api_url}/senryu/streams/{signed('stream', stream_id, STREAM_S, platform)}"


def stream_token(token: str, platform: Platform) -> UUID:
    """The stream of a token. Raises: NotFound."""
    return opened("stream", token, platform)
