"""OAuth clients: programs that other people's accounts may let in.

Source: schema `oauth-client`; https://devcenter.heroku.com/articles/oauth, RFC 6749 section 3.1.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from .errors import Invalid

SCOPES = frozenset({"global", "identity", "read", "write", "read-protected", "write-protected"})

@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A registered program. The `secret` is kept sealed."""

    id: UUID
    account_id: UUID
    name: str
    redirect_uri: str
    secret: str
    created_at: datetime
    updated_at: datetime


def checked_redirect_uri(uri: str) -> str:
    """An address to lead people back to: https, or http on their own machine. Raises: Invalid."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        raise Invalid("`redirect_uri` is no address; use one such as https://example.com/callback.") from None
    is_local = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
    allowed = parts.scheme == "https" or (parts.scheme == "http" and is_local)
    if not host or not allowed or parts.fragment or not uri.isprintable() or " " in uri or len(uri) > 2000:
        raise Invalid("`redirect_uri` must be an https address without a fragment, or http on localhost.")
    return uri
