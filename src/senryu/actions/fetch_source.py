"""Fetching a source tarball that a build names by address.

Only public addresses are fetched: the platform must not be made to read its own network for a user.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..core.address import Resolver, checked_address
from ..core.errors import Invalid, Unavailable
from ..core.limits import SOURCE_MAX_BYTES
from ..core.slug import BlobStore

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 30.0
_WHOLE_TIMEOUT_S = 300.0


async def fetch_source(url: str, key: str, *, blobs: BlobStore, resolver: Resolver) -> str:
    """Stores what is at a public http(s) address as a source; gives its key. Redirects are not followed.

    Raises: Invalid for another kind of address or a host that is not public, Unavailable when it does not answer.
    """
    import httpx  # here: few builds fetch, and it takes memory

    try:
        parts, wanted = urlsplit(url), httpx.URL(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except (ValueError, httpx.InvalidURL):
        raise Invalid("The source's address is not well formed.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("The source's address must be an http or https one.")
    address = checked_address(await resolver.addresses(parts.hostname, port), port, what="the source")
    # The checked address is the one connected to; a second look-up could give another.
    pinned = wanted.copy_with(host=address)
    headers = {"Host": parts.netloc.rpartition("@")[2]}
    extensions = {"sni_hostname": parts.hostname}
    try:
        async with (
            asyncio.timeout(_WHOLE_TIMEOUT_S),
            httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", pinned, headers=headers, extensions=extensions) as answer,
        ):
            if answer.status_code != 200:
                raise Invalid(f"The source's address answered {answer.status_code}; it must give the .tgz itself.")
            await blobs.put(f"{key}.tgz", _chunks(answer), max_bytes=SOURCE_MAX_BYTES)
    except (httpx.HTTPError, TimeoutError):
        raise Unavailable("The source's address does not answer; try again, or upload it with `POST /sources`.") from None
    return f"{key}.tgz"


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for chunk in answer.aiter_raw():
        yield chunk
