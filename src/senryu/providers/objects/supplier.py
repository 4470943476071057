"""Makes, changes and takes away buckets of tenants, each with a pair of keys of its own.

The bucket's name is drawn from the add-on's id, so that a call repeated after a crash finds what the first one made.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from uuid import UUID

from ...core.add_on import AddOnService, Plan, Supplier
from ...core.errors import Invalid
from ...core.object_store import BucketOrder, ObjectServer, bucket_of

REGION = "us-east-1"  # what SDKs that want one get
_LETTERS = string.ascii_uppercase + string.digits
_YES, _NO = ("", "true", "1", "yes", "on"), ("false", "0", "no", "off")
_PUBLIC = "public-read"


class ObjectsSupplier:
    """See Supplier. `endpoint` is the address that clients are given."""

    def __init__(self, service: AddOnService, server: ObjectServer, endpoint: str) -> None:
        self._service, self._server, self._endpoint = service, server, endpoint

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return self._service

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str]:
        """See Supplier. The option `public-read` lets anybody read the bucket's objects. Repeating it gives other keys."""
        is_public = _is_public(self._service.name, options)
        access_key = "SO" + "".join(secrets.choice(_LETTERS) for _ in range(18))
        secret_key = secrets.token_hex(20)
        bucket = bucket_of(id)
        await self._server.make_bucket(BucketOrder(bucket, access_key, secret_key, plan.limits["bytes"], is_public))
        values = {
            "ACCESS_KEY_ID": access_key,
            "SECRET_ACCESS_KEY": secret_key,
            "REGION": REGION,
            "DEFAULT_REGION": REGION,
            "ENDPOINT_URL_S3": self._endpoint,
            "ENDPOINT_URL": self._endpoint,
            "S3_BUCKET": bucket,
            "BUCKET_NAME": bucket,
        }
        return {key: values[key.rpartition("=")[2].removeprefix("AWS_")] for key in self._service.keys}

    async def change_plan(self, id: UUID, plan: Plan) -> None:
        """See Supplier."""
        bucket, quota_bytes = bucket_of(id), plan.limits["bytes"]
        used = next((use.used_bytes for use in await self._server.bucket_uses() if use.bucket == bucket), 0)
        if used > quota_bytes:
            raise Invalid(f"The bucket has {used} bytes, {plan.name} may have {quota_bytes}; delete some first.")
        await self._server.limit_bucket(bucket, quota_bytes)

    async def deprovision(self, id: UUID) -> None:
        """See Supplier."""
        await self._server.remove_bucket(bucket_of(id))


def _is_public(service: str, options: Mapping[str, str]) -> bool:
    if unknown := options.keys() - {_PUBLIC}:
        raise Invalid(f"{service} has no option {', '.join(sorted(unknown))[:80]}; it has {_PUBLIC}.")
    wanted = str(options.get(_PUBLIC, "false")).lower()
    if wanted not in (*_YES, *_NO):
        raise Invalid(f"The option {_PUBLIC} is `{wanted[:20]}`; use true or false.")
    return wanted in _YES


_: type[Supplier] = ObjectsSupplier
