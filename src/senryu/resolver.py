"""Looking up names: the one place that asks the system's resolver for an address a user named."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .core.address import Resolver
from .core.errors import Invalid
from .core.limits import LOOKUP_TIMEOUT_S

_THREADS = 8


class SystemResolver:
    """`getaddrinfo` in threads of its own, so that names that never answer hold up nothing but other look-ups."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="look-up")

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """See Resolver."""
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError, TimeoutError):
            raise Invalid(f"The host `{host[:100]}` is not known; check its name.") from None
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Lets go of the threads without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


_: type[Resolver] = SystemResolver
