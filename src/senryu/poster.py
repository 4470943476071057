"""Sending a request to an address a user named: judged at each connection, no redirects, bounded in time and size."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .core import limits
from .core.address import Resolver, checked_address
from .core.errors import Invalid
from .core.webhook import Answered, Poster

if TYPE_CHECKING:
    import httpcore


class JudgedPoster:
    """POSTs with httpcore. Looks the host up and judges its addresses for each connection, and connects to the one it judged."""

    def __init__(self, resolver: Resolver, *, allow_private: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self._resolver, self._allow_private = resolver, allow_private
        self._tls = tls

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answered:
        """See Poster."""
        try:
            async with asyncio.timeout(limits.WEBHOOK_TIMEOUT_S):
                return Answered(code=await self._posted(url, headers, body))
        except TimeoutError:
            return Answered(error_class="Timeout")
        except Invalid:
            return Answered(error_class="AddressNotAllowed")
        except ssl.SSLError:
            return Answered(error_class="CertificateError")
        except OSError as problem:
            return Answered(error_class=type(problem).__name__)
        except Exception as problem:  # httpcore's own, by name: it is loaded only once something is sent
            cause = problem.__cause__ or problem.__context__
            is_tls = isinstance(cause, ssl.SSLError) or "CERTIFICATE" in str(problem).upper()
            return Answered(error_class="CertificateError" if is_tls else type(problem).__name__)

    async def _posted(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        import httpcore  # here: many platforms have no webhook, and it takes memory

        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = [("Host", place), *headers, ("Content-Length", str(len(body))), ("Connection", "close")]
        tls = self._tls or ssl.create_default_context()
        backend = judging(self._resolver, "the webhook", allow_private=self._allow_private)
        where = f"{parts.scheme.lower()}://{place}{target}"
        async with (
            httpcore.AsyncConnectionPool(ssl_context=tls, max_connections=1, network_backend=backend) as pool,
            pool.stream("POST", where, headers=given, content=body) as answer,
        ):
            size = 0
            async for chunk in answer.aiter_stream():
                size += len(chunk)
                if size > limits.WEBHOOK_ANSWER_MAX_BYTES:
                    break  # leaving closes the connection
            return int(answer.status)


def judging(resolver: Resolver, what: str, *, allow_private: bool) -> httpcore.AsyncNetworkBackend:
    """Connects to addresses that were judged only. Raises: Invalid, as its `connect_tcp` does."""
    import httpcore

    class Judging(httpcore.AsyncNetworkBackend):
        _inner = httpcore.AnyIOBackend()

        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.AsyncNetworkStream:
            found = await resolver.addresses(host, port)
            address = checked_address(found, port, what=what, allow_private=allow_private)
            return await self._inner.connect_tcp(address, port, limits.WEBHOOK_CONNECT_TIMEOUT_S, local_address, socket_options)

        async def sleep(self, seconds: float) -> None:
            await self._inner.sleep(seconds)

    return Judging()


_: type[Poster] = JudgedPoster
