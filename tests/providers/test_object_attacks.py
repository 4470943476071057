"""Object storage attacked: by other tenants, without keys, with altered requests; and killed at the worst moments."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import threading
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from botocore.exceptions import BotoCoreError, ClientError

from buckets import SMALL, Bucket, Store, client, data_files, names_of_objects, running_store
from senryu.core.errors import Unavailable
from senryu.core.limits import MIB
from senryu.core.object_store import bucket_of

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]
DEADLINE_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Store]:
    with names_of_objects():
        async with running_store() as running:
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mine(store: Store) -> Bucket:
    return await store.bucket()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(store: Store) -> Bucket:
    made = await store.bucket()
    made.s3.put_object(Bucket=made.name, Key="secret", Body=b"s3cret")
    return made


ATTEMPTS: dict[str, Any] = {
    "read": lambda s3, mine, theirs: s3.get_object(Bucket=theirs, Key="secret"),
    "look": lambda s3, mine, theirs: s3.head_bucket(Bucket=theirs),
    "write": lambda s3, mine, theirs: s3.put_object(Bucket=theirs, Key="secret", Body=b""),
    "list": lambda s3, mine, theirs: s3.list_objects_v2(Bucket=theirs),
    "versions": lambda s3, mine, theirs: s3.list_object_versions(Bucket=theirs),
    "uploads": lambda s3, mine, theirs: s3.list_multipart_uploads(Bucket=theirs),
    "delete": lambda s3, mine, theirs: s3.delete_object(Bucket=theirs, Key="secret"),
    "delete the bucket": lambda s3, mine, theirs: s3.delete_bucket(Bucket=theirs),
    "copy out": lambda s3, mine, theirs: s3.copy_object(Bucket=mine, Key="stolen", CopySource={"Bucket": theirs, "Key": "secret"}),
    "copy out by a path": lambda s3, mine, theirs: s3.copy_object(Bucket=mine, Key="stolen", CopySource=f"{mine}/../{theirs}/secret"),
    "begin an upload": lambda s3, mine, theirs: s3.create_multipart_upload(Bucket=theirs, Key="k"),
    "set its origins": lambda s3, mine, theirs: s3.put_bucket_cors(
        Bucket=theirs, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    ),
    "set its policy": lambda s3, mine, theirs: s3.put_bucket_policy(Bucket=theirs, Policy="{}"),
    "set an own policy": lambda s3, mine, theirs: s3.put_bucket_policy(Bucket=mine, Policy="{}"),
    "own access list": lambda s3, mine, theirs: s3.put_bucket_acl(Bucket=mine, ACL="public-read-write"),
    "a path up": lambda s3, mine, theirs: s3.get_object(Bucket=mine, Key=f"../{theirs}/secret"),
    "a path up, deeper": lambda s3, mine, theirs: s3.get_object(Bucket=mine, Key=f"a/../../{theirs}/secret"),
    "write by a path up": lambda s3, mine, theirs: s3.put_object(Bucket=mine, Key=f"../{theirs}/secret", Body=b""),
    "delete by a path up": lambda s3, mine, theirs: s3.delete_object(Bucket=mine, Key=f"../{theirs}/secret"),
    "the server's own files": lambda s3, mine, theirs: s3.get_object(Bucket=mine, Key="../../etc/iam/identity.json"),
    "a bucket of the server's": lambda s3, mine, theirs: s3.list_objects_v2(Bucket=".system"),
    "another bucket": lambda s3, mine, theirs: s3.create_bucket(Bucket="senryu-another"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_no_key_reaches_beyond_its_bucket(mine: Bucket, theirs: Bucket, attempt: str) -> None:
    with pytest.raises(ClientError) as refused:
        ATTEMPTS[attempt](mine.s3, mine.name, theirs.name)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403, 404)
    assert theirs.s3.get_object(Bucket=theirs.name, Key="secret")["Body"].read() == b"s3cret"


async def test_a_tenant_sees_its_own_bucket_only(mine: Bucket, theirs: Bucket) -> None:
    assert [bucket["Name"] for bucket in mine.s3.list_buckets()["Buckets"]] == [mine.name]
    assert mine.s3.list_objects_v2(Bucket=mine.name, Prefix=f"../{theirs.name}/")["KeyCount"] == 0
    many = mine.s3.delete_objects(Bucket=mine.name, Delete={"Objects": [{"Key": f"../{theirs.name}/secret"}]})
    assert [error["Code"] for error in many["Errors"]] == ["InvalidRequest"]
    assert theirs.s3.list_objects_v2(Bucket=theirs.name)["KeyCount"] == 1


def _raw(store: Store, method: str, path: str, host: str = "objects.localhost", **headers: str) -> tuple[int, bytes]:
    """A request with exactly this path, which no library has tidied."""
    connection = http.client.HTTPConnection("127.0.0.1", store.port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"{host}:{store.port}", "Content-Length": "0", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


async def test_requests_without_a_signature_reach_nothing(store: Store, mine: Bucket, theirs: Bucket) -> None:
    paths = (
        "/", "/dir/status", "/?list-type=2", "/{0}", "/{0}/", "/{0}/secret", "//{0}/secret", "/{0}//secret", "/%73{1}/secret",
        "/{2}/../{0}/secret",
        "/{2}/%2e%2e/{0}/secret", "/{2}/..%2f{0}%2fsecret", "/{0}%2fsecret", "/buckets/{0}/secret", "/buckets/", "/etc/iam/identity.json",
        "/{0}?policy", "/{0}?acl", "/{0}/secret?versionId=null", "/{0}/secret?X-Amz-Credential=a", "/metrics", "/debug/pprof/",
    )  # fmt: skip
    for path in paths:
        for method in ("GET", "PUT", "POST", "DELETE"):
            status, body = _raw(store, method, path.format(theirs.name, theirs.name[1:], mine.name))
            assert status >= 400 and b"s3cret" not in body and theirs.name.encode() + b"</Name>" not in body, (method, path, status, body)
        status, body = _raw(store, "GET", "/secret", host=f"{theirs.name}.objects.localhost")
        assert (status, b"s3cret" in body) == (403, False)
    for claimed in ("AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=", "AWS :", "Bearer x"):
        assert _raw(store, "GET", f"/{theirs.name}/secret", Authorization=claimed)[0] in (400, 403, 501)
    assert theirs.s3.get_object(Bucket=theirs.name, Key="secret")["Body"].read() == b"s3cret"


async def test_a_presigned_url_is_good_for_what_was_signed_only(store: Store, mine: Bucket, theirs: Bucket) -> None:
    mine.s3.put_object(Bucket=mine.name, Key="k", Body=b"v")
    for signer in (mine.s3, client(mine.config, signature_version="s3v4")):
        url = signer.generate_presigned_url("get_object", Params={"Bucket": mine.name, "Key": "k"}, ExpiresIn=60)
        path = "/" + url.split("/", 3)[3]
        assert _raw(store, "GET", path) == (200, b"v")
        for method, altered in (
            ("PUT", path),
            ("DELETE", path),
            ("GET", path.replace("/k?", "/other?")),
            ("GET", path.replace(mine.name, theirs.name).replace("/k?", "/secret?")),
            ("GET", path.replace("Expires=", "Expires=9")),
            ("GET", path.replace("Signature=", "Signature=0")),
            ("GET", path.replace(mine.config["ACCESS_KEY_ID"], theirs.config["ACCESS_KEY_ID"])),
        ):
            assert _raw(store, method, altered)[0] in (400, 403), (method, altered)
        assert _raw(store, "GET", path, host=f"{theirs.name}.objects.localhost")[0] in (400, 403, 404)


async def test_a_bucket_that_is_locked_by_its_tenant_goes_all_the_same(store: Store) -> None:
    made = await store.bucket()
    made.s3.put_bucket_versioning(Bucket=made.name, VersioningConfiguration={"Status": "Enabled"})
    with contextlib.suppress(ClientError):
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 365}}}
        made.s3.put_object_lock_configuration(Bucket=made.name, ObjectLockConfiguration=rule)
    made.s3.put_object(Bucket=made.name, Key="k", Body=b"v")
    with contextlib.suppress(ClientError):
        made.s3.put_object_legal_hold(Bucket=made.name, Key="k", LegalHold={"Status": "ON"})
    await store.supplier.deprovision(made.id)
    assert made.name not in [use.bucket for use in await store.server.bucket_uses()]


async def test_what_was_acknowledged_is_there_after_kills_of_the_server(store: Store, mine: Bucket) -> None:
    kept: dict[str, bytes] = {}
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            key, body = f"kept/{number}", os.urandom(20_000)
            with contextlib.suppress(ClientError, BotoCoreError):
                mine.s3.put_object(Bucket=mine.name, Key=key, Body=body)
                kept[key] = body
            number += 1

    writing = asyncio.create_task(asyncio.to_thread(write))
    for _ in range(2):
        before = len(kept)
        async with asyncio.timeout(DEADLINE_S):
            while len(kept) < before + 20:
                await asyncio.sleep(0.01)
        store.kill()
        await asyncio.to_thread(store.program.run)
    over.set()
    await writing
    for key, body in kept.items():
        assert mine.s3.get_object(Bucket=mine.name, Key=key)["Body"].read() == body
    for key in kept:
        mine.s3.delete_object(Bucket=mine.name, Key=key)


async def test_a_kill_while_a_bucket_is_made_leaves_nothing_once_it_is_taken_away(store: Store) -> None:
    id = uuid4()
    making = asyncio.create_task(store.supplier.provision(id, SMALL, {}))
    await asyncio.sleep(0.15)  # in the middle, as a rule; wherever it is, nothing may be left
    store.kill()
    with contextlib.suppress(Unavailable):
        await making
    await asyncio.to_thread(store.program.run)
    config = await store.supplier.provision(id, SMALL, {})
    client(config).put_object(Bucket=bucket_of(id), Key="k", Body=os.urandom(MIB))
    await store.supplier.deprovision(id)
    assert bucket_of(id) not in [use.bucket for use in await store.server.bucket_uses()]
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client(config).list_buckets()
    async with asyncio.timeout(DEADLINE_S):
        while data_files(store, bucket_of(id)):
            await asyncio.sleep(0.1)
