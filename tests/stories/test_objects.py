"""Buckets as add-ons: the names of their config vars, what they hold, and what the router is told of it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from house import House
from senryu.actions.keep_quotas import keep_quotas
from senryu.core.errors import Unavailable
from senryu.core.limits import GIB
from senryu.core.object_store import BucketOrder, BucketUse, bucket_of
from senryu.providers.objects import BUCKETEER, OBJECTS, ObjectsSupplier
from senryu.routers.memory import MemoryRouter

ENDPOINT = "http://objects.localhost:8080"


class Buckets:
    """An S3 server in memory; `made` by bucket, `used` bytes of each."""

    def __init__(self) -> None:
        self.made: dict[str, BucketOrder] = {}
        self.used: dict[str, int] = {}
        self.is_away = False

    async def make_bucket(self, order: BucketOrder) -> None:
        """See ObjectServer."""
        self._check()
        self.made[order.bucket] = order

    async def limit_bucket(self, bucket: str, quota_bytes: int) -> None:
        """See ObjectServer."""
        self._check()
        self.made[bucket] = replace(self.made[bucket], quota_bytes=quota_bytes)

    async def remove_bucket(self, bucket: str) -> None:
        """See ObjectServer."""
        self._check()
        self.made.pop(bucket, None)

    async def bucket_uses(self) -> list[BucketUse]:
        """See ObjectServer."""
        self._check()
        return [BucketUse(name, self.used.get(name, 0), self.used.get(name, 0), order.quota_bytes) for name, order in self.made.items()]

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("The object storage of the platform is starting; try again in a few seconds.")


@pytest.fixture
def buckets(house: House) -> Buckets:
    server = Buckets()
    suppliers = {service.name: ObjectsSupplier(service, server, ENDPOINT) for service in (OBJECTS, BUCKETEER)}
    house.platform = replace(house.platform, suppliers=suppliers, objects=server)
    house.api.state.platform = house.platform
    return server


async def _made(house: House, app: str, plan: str, **config: str) -> tuple[str, dict[str, str]]:
    """A new add-on's id, and the app's config."""
    answer = await house.client.post(f"/apps/{app}/addons", json={"plan": plan, "config": config})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], dict((await house.client.get(f"/apps/{app}/config-vars")).json())


async def test_the_first_bucket_has_the_names_that_sdks_read(house: House, buckets: Buckets) -> None:
    await house.create("gallery")
    id, config = await _made(house, "gallery", "senryu-objects")
    order = buckets.made[bucket_of(UUID(id))]
    assert config == {
        "AWS_ACCESS_KEY_ID": order.access_key,
        "AWS_SECRET_ACCESS_KEY": order.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": ENDPOINT,
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_S3_BUCKET": order.bucket,
        "AWS_BUCKET_NAME": order.bucket,
    }
    assert (order.quota_bytes, order.is_public) == (5 * GIB, False)
    _, both = await _made(house, "gallery", "objects:micro", **{"public-read": "true"})
    assert {key: both[key] for key in config} == config
    assert len([key for key in both if key.startswith("OBJECTS_")]) == len(config)
    assert [order.is_public for order in buckets.made.values()] == [False, True]


async def test_bucketeer_has_its_own_names_and_those_that_sdks_need(house: House, buckets: Buckets) -> None:
    await house.create("old")
    id, config = await _made(house, "old", "bucketeer:hobbyist")
    order = buckets.made[bucket_of(UUID(id))]
    for key, value in (
        ("AWS_ACCESS_KEY_ID", order.access_key),
        ("AWS_SECRET_ACCESS_KEY", order.secret_key),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_S3", ENDPOINT),
    ):
        assert (config[key], config[f"BUCKETEER_{key}"]) == (value, value)
    assert config["BUCKETEER_BUCKET_NAME"] == order.bucket
    assert len(config) == 9
    refused = await house.client.patch("/apps/old/config-vars", json={"AWS_REGION": "eu-west-1"})
    assert (refused.status_code, "AWS_REGION" in refused.json()["message"]) == (422, True)


async def test_an_app_with_keys_of_its_own_is_told_and_may_have_the_other_names_only(house: House, buckets: Buckets) -> None:
    await house.create("mails")
    await house.client.patch("/apps/mails/config-vars", json={"AWS_ACCESS_KEY_ID": "of another service"})
    for service in ("senryu-objects", "bucketeer"):
        refused = await house.client.post("/apps/mails/addons", json={"plan": service})
        assert (refused.status_code, "AWS_ACCESS_KEY_ID is set" in refused.json()["message"]) == (409, True), refused.text
    assert buckets.made == {}
    answer = await house.client.post("/apps/mails/addons", json={"plan": "bucketeer", "attachment": {"name": "FILES"}})
    assert answer.status_code == 201, answer.text
    config = (await house.client.get("/apps/mails/config-vars")).json()
    assert config["AWS_ACCESS_KEY_ID"] == "of another service"
    assert "AWS_ENDPOINT_URL_S3" not in config
    assert "FILES_AWS_ACCESS_KEY_ID" in config


async def test_users_see_what_their_bucket_holds_and_the_operator_what_all_hold(house: House, buckets: Buckets) -> None:
    await house.create("gallery")
    id, _ = await _made(house, "gallery", "senryu-objects")
    buckets.used[bucket_of(UUID(id))] = 3 * GIB
    shown = (await house.client.get(f"/addons/{id}/objects")).json()
    assert (shown["app"], shown["bytes"], shown["plan_bytes"], shown["plan"]) == ("gallery", 3 * GIB, 5 * GIB, "senryu-objects:hobbyist")
    other = await house.person("other@example.com")
    assert (await other.client.get(f"/addons/{id}/objects")).status_code == 404
    assert (await other.client.get("/senryu/objects")).status_code == 403
    assert (await house.operator.client.get("/senryu/objects")).json() == [shown]


async def test_the_router_is_told_what_each_bucket_may_still_take_and_a_larger_plan_gives_more(house: House, buckets: Buckets) -> None:
    await house.create("gallery")
    id, _ = await _made(house, "gallery", "senryu-objects")
    bucket, router = bucket_of(UUID(id)), MemoryRouter()
    buckets.used[bucket] = 6 * GIB
    await keep_quotas(server=buckets, router=router)
    assert router.rooms == {bucket: 0}
    upgraded = await house.client.patch(f"/apps/gallery/addons/{id}", json={"plan": {"name": "senryu-objects:micro"}})
    assert upgraded.status_code == 200, upgraded.text
    await keep_quotas(server=buckets, router=router)
    assert router.rooms == {bucket: 19 * GIB}
    refused = await house.client.patch(f"/apps/gallery/addons/{id}", json={"plan": {"name": "senryu-objects:hobbyist"}})
    assert (refused.status_code, "delete some first" in refused.json()["message"]) == (422, True)
    await house.client.request("DELETE", f"/apps/gallery/addons/{id}")
    await keep_quotas(server=buckets, router=router)
    assert (router.rooms, buckets.made) == ({}, {})


async def test_a_bucket_that_cannot_be_made_leaves_nothing(house: House, buckets: Buckets) -> None:
    await house.create("gallery")
    buckets.is_away = True
    refused = await house.client.post("/apps/gallery/addons", json={"plan": "senryu-objects"})
    assert (refused.status_code, "starting" in refused.json()["message"]) == (503, True)
    buckets.is_away = False
    wrong = await house.client.post("/apps/gallery/addons", json={"plan": "senryu-objects", "config": {"public": "yes"}})
    assert (wrong.status_code, "public-read" in wrong.json()["message"]) == (422, True)
    assert buckets.made == {}
    assert (await house.client.get("/apps/gallery/config-vars")).json() == {}
