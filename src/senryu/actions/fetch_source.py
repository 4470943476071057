"""Fetching what a user names by address: a source tarball of a build, an archive of a database.

Only public addresses are fetched: the platform must not be made to read its own network for a user.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
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
    try:
        async with asyncio.timeout(_WHOLE_TIMEOUT_S):
            await fetch(url, f"{key}.tgz", "the source", SOURCE_MAX_BYTES, blobs=blobs, resolver=resolver)
    except TimeoutError:
        raise _silent("the source") from None
    return f"{key}.tgz"


async def fetch(
    url: str,
    key: str,
    what: str,
    max_bytes: int,
    *,
    blobs: BlobStore,
    resolver: Resolver,
    passing: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] = lambda chunks: chunks,
    allow_private: bool = False,
) -> None:
    """Stores what is at a public http(s) address under `key`. `what` names it in errors; its chunks go through `passing`.

    Raises: Invalid for another kind of address, a host that is not public, more than `max_bytes`; Unavailable when it does not answer.
    """
    import httpx  # here: few builds fetch, and it takes memory

    address = await judged(url, what, resolver=resolver, allow_private=allow_private)
    parts, wanted = urlsplit(url), httpx.URL(url)
    # The checked address is the one connected to; a second look-up could give another.
    pinned = wanted.copy_with(host=address)
    headers = {"Host": parts.netloc.rpartition("@")[2]}
    extensions = {"sni_hostname": parts.hostname}
    try:
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", pinned, headers=headers, extensions=extensions) as answer,
        ):
            if answer.status_code != 200:
                raise Invalid(f"The address of {what} answered {answer.status_code}; it must give the file itself.")
            await blobs.put(key, passing(_chunks(answer)), max_bytes=max_bytes)
    except httpx.HTTPError:
        raise _silent(what) from None


async def judged(url: str, what: str, *, resolver: Resolver, allow_private: bool = False) -> str:
    """The IP address to connect to for an http(s) address. Raises: Invalid for another kind, or a host that is not public."""
    import httpx

    try:
        parts, _ = urlsplit(url), httpx.URL(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except (ValueError, httpx.InvalidURL):
        raise Invalid(f"The address of {what} is not well formed.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"The address of {what} must be an http or https one.")
    return checked_address(await resolver.addresses(parts.hostname, port), port, what=what, allow_private=allow_private)


def _silent(what: str) -> Unavailable:
    return Unavailable(f"The address of {what} does not answer; try again, or upload it.")


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for chunk in answer.aiter_raw():
        yield chunk
