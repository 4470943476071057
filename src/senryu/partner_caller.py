"""HTTP to partners: judged at each connection, no redirects, bounded in time and size."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from .core import limits
from .core.address import Resolver
from .core.errors import Invalid, PlatformError, Unavailable
from .core.partner import Caller
from .poster import judging


class JudgedCaller:
    """See Caller. Without `allow_private` only https addresses in the Internet are called."""

    def __init__(self, resolver: Resolver, *, allow_private: bool = False) -> None:
        self._resolver, self._allow_private = resolver, allow_private

    async def call(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        """See Caller."""
        if not url.startswith("https://") and not self._allow_private:
            raise Invalid("The address of the service is not https.")
        try:
            async with asyncio.timeout(limits.PARTNER_TIMEOUT_S):
                return await self._called(method, url, headers, body)
        except PlatformError:
            raise
        except TimeoutError:
            raise Unavailable(f"There was no answer within {limits.PARTNER_TIMEOUT_S:.0f} s.") from None
        except Exception as problem:  # httpcore's own, by name: it is loaded only once something is sent
            raise Unavailable(f"The connection failed: {type(problem).__name__}.") from problem

    async def _called(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        import httpcore  # here: many platforms have no partner, and it takes memory

        given = [("Host", urlsplit(url).netloc), *headers, ("Content-Length", str(len(body))), ("Connection", "close")]
        backend = judging(self._resolver, "the service", allow_private=self._allow_private)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context(), max_connections=1, network_backend=backend) as pool,
            pool.stream(method, url, headers=given, content=body) as answer,
        ):
            read = bytearray()
            async for chunk in answer.aiter_stream():
                read += chunk
                if len(read) > limits.PARTNER_ANSWER_MAX_BYTES:
                    raise Unavailable("The answer is too large.")
            return int(answer.status), bytes(read)


_: type[Caller] = JudgedCaller
