"""Object storage: buckets of tenants on one S3-compatible server, and how much each may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol
from uuid import UUID

from .errors import Invalid
from .limits import MIB

BUCKET = re.compile(r"senryu-[0-9a-f]{20}\Z")
BUCKETS_PER_ORDER_MAX = 256
_IN_A_TEXT = re.compile(r"(?<![\w-])senryu-[0-9a-f]{20}(?![\w-])")
_KEY = re.compile(r"[A-Za-z0-9]{16,128}\Z")
_GARBAGE_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class BucketOrder:
    """A bucket as it should be: one pair of keys opens it and nothing else; `is_public`: anybody may read (not list) its objects."""

    bucket: str
    access_key: str
    secret_key: str
    quota_bytes: int
    is_public: bool


@dataclass(frozen=True, slots=True)
class BucketUse:
    """What a bucket holds: `used_bytes` of objects, versions and unfinished uploads; `stored_bytes` also of what was deleted just now."""

    bucket: str
    used_bytes: int
    stored_bytes: int
    quota_bytes: int

    @property
    def room_bytes(self) -> int:
        """How much more it may take: none while what was deleted, and is not cleared from the disk yet, is as much again as the quota."""
        if self.stored_bytes > 2 * self.quota_bytes + _GARBAGE_BYTES:
            return 0
        return max(0, self.quota_bytes - self.used_bytes)


class ObjectServer(Protocol):
    """The server. Each call may be repeated, with the same effect as one. All raise Unavailable."""

    async def make_bucket(self, order: BucketOrder) -> None:
        """Makes it if it is not there; keys it had before are dead."""

    async def limit_bucket(self, bucket: str, quota_bytes: int) -> None:
        """Sets its quota. Raises: Unavailable, also when there is no such bucket."""

    async def remove_bucket(self, bucket: str) -> None:
        """Takes it away with its objects and keys."""

    async def bucket_uses(self) -> list[BucketUse]:
        """All buckets; none, at no cost, as long as there was no first one."""


def bucket_of(id: UUID) -> str:
    """The bucket of an add-on. Tells nothing of its owner."""
    import hashlib  # the agent takes this file and no hashes

    return f"senryu-{hashlib.sha256(id.bytes).hexdigest()[:20]}"


def check_bucket(bucket: str) -> None:
    """Raises Invalid for what is no bucket of ours."""
    if not BUCKET.match(bucket):
        raise Invalid(f"`{bucket[:80]}` is no bucket of this platform.")


def check_order(order: BucketOrder) -> None:
    """Raises Invalid for an order with anything in it that could mean more than itself on a command line."""
    check_bucket(order.bucket)
    check_quota(order.quota_bytes)
    if not _KEY.match(order.access_key) or not _KEY.match(order.secret_key):
        raise Invalid(f"The order for the bucket {order.bucket} is not valid; keys are letters and digits.")


def check_quota(quota_bytes: int) -> None:
    """Raises Invalid for what is no bound at all to the server, or less than it counts in."""
    if quota_bytes < MIB:
        raise Invalid("The quota of a bucket is at least 1 MiB.")


def buckets_in(values: Iterable[str]) -> tuple[str, ...]:
    """Those that config vars name, alone or in an address, each once; of more than BUCKETS_PER_ORDER_MAX the first."""
    named = (match[0] for value in values for match in _IN_A_TEXT.finditer(value))
    return tuple(islice(dict.fromkeys(named), BUCKETS_PER_ORDER_MAX))


def rooms(uses: Iterable[BucketUse]) -> Mapping[str, int]:
    """Bucket → bytes it may still take, as routers are told."""
    return {use.bucket: use.room_bytes for use in uses}
