"""Small collaborators of the house in memory."""

from __future__ import annotations

from collections.abc import Sequence

from senryu.resolver import SystemResolver


class HouseResolver:
    """Names of tests are public; addresses and this machine are what they are."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        if host.endswith((".example.com", ".example.org")):
            return ["8.8.8.8"]
        return await SystemResolver().addresses(host, port)


class IdleDrains:
    """Counts how often it was woken; tests/logs has the real ones at work."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1
