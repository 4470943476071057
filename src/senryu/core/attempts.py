"""How fast somebody may guess: passwords and codes, counted for each account, each address, and the two together.

A failure makes the next try of the same account from the same address wait, at first a second, in the end a quarter of an hour. One
address that tries many accounts is slowed for all of them, and one account that is tried from many addresses for all of these; neither
holds for an address from which the account's owner got in before, so that nobody is locked out by what others do.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil

from . import limits
from .errors import RateLimited

_MOST = 20_000


@dataclass(slots=True)
class _Failures:
    count: int
    at_s: float


@dataclass(frozen=True, slots=True)
class _Rule:
    """After `free` failures each further one doubles the wait, from a second up to `most_s`; an hour without one forgets all."""

    free: int
    most_s: float

    def wait_s(self, failures: _Failures, now_s: float) -> float:
        over = failures.count - self.free
        if over < 0:
            return 0.0
        return max(0.0, failures.at_s + float(min(2.0 ** min(over, 20), self.most_s)) - now_s)


_TOGETHER = _Rule(limits.LOGIN_FAILURES_BEFORE_DELAY, limits.LOGIN_DELAY_MAX_S)
_ADDRESS = _Rule(limits.LOGIN_FAILURES_BEFORE_DELAY * 6, limits.LOGIN_DELAY_MAX_S)
_ACCOUNT = _Rule(limits.LOGIN_FAILURES_BEFORE_DELAY * 20, limits.LOGIN_ACCOUNT_DELAY_MAX_S)


def place_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which is what one customer has."""
    try:
        found = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return f"{IPv6Address(int(found) >> 64 << 64)}/64" if isinstance(found, IPv6Address) else str(found)


class Attempts:
    """Counts failures. In memory, bounded; the oldest are forgotten. Times are those of a monotonic clock, in seconds."""

    def __init__(self, most: int = _MOST) -> None:
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._most = most

    def begin(self, account: str, place: str, now_s: float) -> None:
        """A try begins and counts as failed until it is said to have succeeded, so that many at once do not pass.

        Raises: RateLimited with the seconds to wait.
        """
        keys = self._keys(account, place)
        wait_s = max((rule.wait_s(found, now_s) for key, rule in keys.items() if (found := self._failures.get(key))), default=0.0)
        if wait_s > 0:
            told = f"Too many failed attempts; wait {ceil(wait_s)} seconds and try again."
            raise RateLimited(told, retry_after_s=ceil(wait_s))
        for key in ((account, place), ("", place), (account, "")):
            before = self._failures.pop(key, None)
            is_fresh = before is not None and now_s - before.at_s < limits.LOGIN_FAILURES_KEPT_S
            self._failures[key] = _Failures(before.count + 1 if before and is_fresh else 1, now_s)
        while len(self._failures) > self._most:
            self._failures.popitem(last=False)

    def _keys(self, account: str, place: str) -> dict[tuple[str, str], _Rule]:
        if (account, place) in self._known:
            return {(account, place): _TOGETHER}
        return {(account, place): _TOGETHER, ("", place): _ADDRESS, (account, ""): _ACCOUNT}

    def succeeded(self, account: str, place: str) -> None:
        """Forgets the failures of the account from there, takes this try back from the other counts, and knows the address from now on."""
        self._failures.pop((account, place), None)
        for key in (("", place), (account, "")):
            if key in self._failures:
                self._failures[key].count = max(0, self._failures[key].count - 1)
        self._known.pop((account, place), None)
        self._known[(account, place)] = None
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def count(self, account: str, place: str) -> int:
        """How often the account failed from there lately."""
        found = self._failures.get((account, place))
        return found.count if found else 0
