"""Object storage with the real boto3: what a bucket's owner can do."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from botocore.exceptions import ClientError

from buckets import SMALL, Store, client, data_files, names_of_objects, running_store
from senryu.core.add_on import Plan
from senryu.core.errors import Invalid
from senryu.core.limits import MIB

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]
LARGER = Plan("senryu-objects", "larger", "Larger", 0, {"bytes": 20 * MIB})
DEADLINE_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Store]:
    with names_of_objects():
        async with running_store() as running:
            yield running


def code_of(call: Any, **arguments: Any) -> str:
    """The S3 error that a call is answered with; empty when it is done."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


async def fetched(url: str, method: str = "GET", **more: Any) -> httpx.Response:
    """As a browser would, which has no keys."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as browser:
        return await browser.request(method, url, **more)


async def test_objects_are_written_read_in_ranges_listed_copied_and_deleted(store: Store) -> None:
    mine = await store.bucket()
    mine.s3.put_object(Bucket=mine.name, Key="a/kite é.txt", Body=b"hello", ContentType="text/plain", Metadata={"by": "ada"})
    got = mine.s3.get_object(Bucket=mine.name, Key="a/kite é.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/plain", {"by": "ada"})
    part = mine.s3.get_object(Bucket=mine.name, Key="a/kite é.txt", Range="bytes=1-2")
    assert (part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"], part["ContentRange"]) == (b"el", 206, "bytes 1-2/5")
    mine.s3.copy_object(Bucket=mine.name, Key="b", CopySource={"Bucket": mine.name, "Key": "a/kite é.txt"})
    assert [entry["Key"] for entry in mine.s3.list_objects_v2(Bucket=mine.name)["Contents"]] == ["a/kite é.txt", "b"]
    mine.s3.delete_objects(Bucket=mine.name, Delete={"Objects": [{"Key": "b"}]})
    mine.s3.delete_object(Bucket=mine.name, Key="a/kite é.txt")
    assert mine.s3.list_objects_v2(Bucket=mine.name)["KeyCount"] == 0
    await store.supplier.deprovision(mine.id)


async def test_large_objects_come_in_parts_also_by_host_name(store: Store) -> None:
    mine = await store.bucket()
    by_host = client(mine.config, s3={"addressing_style": "virtual"})
    upload = by_host.create_multipart_upload(Bucket=mine.name, Key="big")["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": by_host.upload_part(Bucket=mine.name, Key="big", UploadId=upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in ((1, b"x" * (5 * MIB)), (2, b"end"))
    ]
    by_host.complete_multipart_upload(Bucket=mine.name, Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    assert mine.s3.head_object(Bucket=mine.name, Key="big")["ContentLength"] == 5 * MIB + 3
    assert by_host.get_object(Bucket=mine.name, Key="big", Range="bytes=-4")["Body"].read() == b"xend"
    await store.supplier.deprovision(mine.id)


async def test_a_browser_uploads_with_a_presigned_put_from_an_origin_that_the_bucket_names(store: Store) -> None:
    mine = await store.bucket()
    rule = {"AllowedMethods": ["PUT", "GET"], "AllowedOrigins": ["https://gallery.example"], "AllowedHeaders": ["*"]}
    mine.s3.put_bucket_cors(Bucket=mine.name, CORSConfiguration={"CORSRules": [rule]})
    for signer in (mine.s3, client(mine.config, signature_version="s3v4")):
        url = signer.generate_presigned_url("put_object", Params={"Bucket": mine.name, "Key": "kite.png"}, ExpiresIn=60)
        asked = {"Origin": "https://gallery.example", "Access-Control-Request-Method": "PUT"}
        preflight = await fetched(url, "OPTIONS", headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "https://gallery.example")
        done = await fetched(url, "PUT", content=b"png", headers={"Origin": "https://gallery.example"})
        assert (done.status_code, done.headers["access-control-allow-origin"]) == (200, "https://gallery.example")
        assert (await fetched(url.replace("kite.png", "other.png"), "PUT", content=b"png")).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PUT"}
    assert (await fetched(url, "OPTIONS", headers=elsewhere)).status_code == 403
    assert mine.s3.get_object(Bucket=mine.name, Key="kite.png")["Body"].read() == b"png"
    await store.supplier.deprovision(mine.id)


async def test_a_browser_uploads_a_form_as_its_policy_allows(store: Store) -> None:
    mine = await store.bucket()
    form = mine.s3.generate_presigned_post(mine.name, "up/${filename}", Conditions=[["content-length-range", 1, 10]], ExpiresIn=60)

    async def posted(content: bytes, **fields: str) -> httpx.Response:
        return await fetched(form["url"], "POST", data=form["fields"] | fields, files={"file": ("kite.txt", content)})

    assert (await posted(b"12345")).status_code == 204
    assert mine.s3.get_object(Bucket=mine.name, Key="up/kite.txt")["Body"].read() == b"12345"
    assert "EntityTooLarge" in (await posted(b"much too long")).text
    assert (await posted(b"12345", key="elsewhere")).status_code == 403
    await store.supplier.deprovision(mine.id)


async def test_a_presigned_url_ends_with_its_time(store: Store) -> None:
    mine = await store.bucket()
    mine.s3.put_object(Bucket=mine.name, Key="k", Body=b"v")
    good, over = (mine.s3.generate_presigned_url("get_object", Params={"Bucket": mine.name, "Key": "k"}, ExpiresIn=s) for s in (60, -1))
    assert (await fetched(good)).content == b"v"
    refused = await fetched(over)
    assert (refused.status_code, "expired" in refused.text) == (403, True)
    await store.supplier.deprovision(mine.id)


async def test_only_a_public_bucket_is_read_without_a_key_and_none_is_listed_or_written(store: Store) -> None:
    private, public = await store.bucket(), await store.bucket(public_read="true")
    for bucket in (private, public):
        bucket.s3.put_object(Bucket=bucket.name, Key="k", Body=b"v", ACL="public-read")
    assert (await fetched(f"{store.endpoint}/{public.name}/k")).content == b"v"
    assert (await fetched(f"http://{public.name}.objects.localhost:{store.port}/k")).content == b"v"
    assert (await fetched(f"{store.endpoint}/{private.name}/k")).status_code == 403
    assert (await fetched(f"{store.endpoint}/{public.name}")).status_code == 403
    for method in ("PUT", "DELETE", "POST"):
        assert (await fetched(f"{store.endpoint}/{public.name}/k", method, content=b"w")).status_code in (403, 405, 412)
    assert (await fetched(f"{store.endpoint}/{public.name}/k")).content == b"v"
    with pytest.raises(Invalid, match="public-read"):
        await store.bucket(public_read="perhaps")
    with pytest.raises(Invalid, match="public-read"):
        await store.bucket(versions="many")
    for bucket in (private, public):
        await store.supplier.deprovision(bucket.id)
    again = await fetched(f"{store.endpoint}/{public.name}/k")
    assert again.status_code in (403, 404)


async def test_a_full_bucket_takes_nothing_more_until_something_is_deleted_or_the_plan_is_larger(store: Store) -> None:
    mine, other = await store.bucket(), await store.bucket()
    for number in range(2):
        mine.s3.put_object(Bucket=mine.name, Key=str(number), Body=os.urandom(5 * MIB))
    by_host = client(mine.config, s3={"addressing_style": "virtual"})
    form = mine.s3.generate_presigned_post(mine.name, "form", ExpiresIn=60)
    await _until(store, lambda: code_of(mine.s3.put_object, Bucket=mine.name, Key="small", Body=b"1") == "QuotaExceeded")
    assert code_of(by_host.put_object, Bucket=mine.name, Key="small", Body=b"1") == "QuotaExceeded"
    assert code_of(mine.s3.create_multipart_upload, Bucket=mine.name, Key="small") == "QuotaExceeded"
    for url in (form["url"], f"{form['url']}?delete", form["url"].replace(mine.name, f"%73{mine.name[1:]}")):
        refused = await fetched(url, "POST", data=form["fields"], files={"file": ("kite.txt", b"1")})
        assert (refused.status_code, "QuotaExceeded" in refused.text) == (403, True), url
    assert len(mine.s3.get_object(Bucket=mine.name, Key="0")["Body"].read()) == 5 * MIB
    other.s3.put_object(Bucket=other.name, Key="theirs", Body=b"fits")

    await store.supplier.change_plan(mine.id, LARGER)
    await _until(store, lambda: code_of(mine.s3.put_object, Bucket=mine.name, Key="small", Body=b"1") == "")
    with pytest.raises(Invalid, match="delete some first"):
        await store.supplier.change_plan(mine.id, SMALL)
    mine.s3.delete_objects(Bucket=mine.name, Delete={"Objects": [{"Key": str(number)} for number in range(2)]})
    await _until_fits(store, mine.id)
    mine.s3.put_object(Bucket=mine.name, Key="small", Body=b"1")
    for bucket in (mine, other):
        await store.supplier.deprovision(bucket.id)


async def test_an_upload_that_says_it_is_larger_than_the_room_left_is_refused_before_it_is_sent(store: Store) -> None:
    mine = await store.bucket()
    await store.told()
    assert code_of(mine.s3.put_object, Bucket=mine.name, Key="large", Body=b"9" * (9 * MIB)) == "QuotaExceeded"
    assert mine.s3.list_objects_v2(Bucket=mine.name)["KeyCount"] == 0
    await store.supplier.deprovision(mine.id)


async def test_a_bucket_taken_away_leaves_no_object_no_key_and_may_be_taken_away_again(store: Store) -> None:
    mine = await store.bucket()
    mine.s3.put_object(Bucket=mine.name, Key="k", Body=b"v" * MIB)
    mine.s3.put_bucket_versioning(Bucket=mine.name, VersioningConfiguration={"Status": "Enabled"})
    mine.s3.put_object(Bucket=mine.name, Key="k", Body=b"w" * MIB)
    mine.s3.create_multipart_upload(Bucket=mine.name, Key="unfinished")
    assert data_files(store, mine.name)
    await store.supplier.deprovision(mine.id)
    await store.supplier.deprovision(mine.id)
    assert code_of(mine.s3.list_objects_v2, Bucket=mine.name) == "InvalidAccessKeyId"
    assert mine.name not in [use.bucket for use in await store.server.bucket_uses()]
    async with asyncio.timeout(DEADLINE_S):
        while data_files(store, mine.name):
            await asyncio.sleep(0.1)


async def test_provisioning_again_after_a_crash_keeps_the_objects_and_the_new_key_counts(store: Store) -> None:
    mine = await store.bucket()
    mine.s3.put_object(Bucket=mine.name, Key="k", Body=b"v")
    again = client(await store.supplier.provision(mine.id, SMALL, {}))
    assert again.get_object(Bucket=mine.name, Key="k")["Body"].read() == b"v"
    assert code_of(mine.s3.get_object, Bucket=mine.name, Key="k") == "InvalidAccessKeyId"
    await store.supplier.deprovision(mine.id)


async def _until(store: Store, look: Callable[[], bool]) -> None:
    """Looks again and again, each time after the router was told what there is."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            await store.told()
            if await asyncio.to_thread(look):
                return
            await asyncio.sleep(0.2)


async def _until_fits(store: Store, id: UUID) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with contextlib.suppress(Invalid):
                await store.supplier.change_plan(id, SMALL)
                return
            await asyncio.sleep(0.2)
