"""Databases that follow another: made, led by a rotation, refused what only a leader can, unfollowed, destroyed; servers are made up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from house import House, eventually
from senryu.actions.follow_database import end_following
from senryu.actions.provision import finish_add_ons
from senryu.api.parts import releasing
from senryu.core.add_on import AddOnState
from senryu.core.follower import Following
from senryu.store.add_ons import find_add_on
from stand_ins import ScriptedDatabases, ScriptedSupplier

from .test_backups import Stage

_PLAN = "heroku-postgresql:standard-0"


class ScriptedFollowing:
    """A copy of a server that is only said to be."""

    def __init__(self) -> None:
        self.databases = ScriptedDatabases()
        self.ended = 0

    async def behind(self) -> float | None:
        return 2.0

    async def end(self) -> None:
        self.ended += 1

    async def used_bytes(self) -> int:
        return 5000


_following: type[Following] = ScriptedFollowing


class Scene:
    """The house with databases that can be followed."""

    def __init__(self, house: House) -> None:
        self.house, self.stage, self.following = house, Stage(house), ScriptedFollowing()
        house.platform = replace(house.platform, databases=ScriptedDatabases(), following=self.following)
        house.api.state.platform = house.platform
        supplier = house.platform.suppliers["heroku-postgresql"]
        assert isinstance(supplier, ScriptedSupplier)
        self.supplier = supplier

    async def pair(self, app: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A leader and its follower."""
        await self.house.create(app)
        return await self.stage.database(app, "standard-0"), await self.stage.database(app, "standard-0", follow="DATABASE")

    async def told(self, database: dict[str, Any]) -> dict[str, Any]:
        return dict((await self.house.client.get(f"/client/v11/databases/{database['id']}")).json())

    async def config(self, app: str) -> dict[str, str]:
        return dict((await self.house.client.get(f"/apps/{app}/config-vars")).json())

    async def refused(self, method: str, path: str, words: str, **body: Any) -> None:
        answer = await self.house.client.request(method, path, json=body)
        assert answer.status_code in (404, 409, 422) and words in answer.json()["message"], answer.text


@pytest.fixture
def scene(house: House) -> Scene:
    return Scene(house)


async def test_a_follower_says_whom_it_follows_and_cannot_be_changed(scene: Scene) -> None:
    leader, follower = await scene.pair("led")
    told = await scene.told(follower)
    assert (told["leader"], told["following"]) == (leader["name"], (await scene.config("led"))["DATABASE_URL"])
    rows = {row["name"]: row["values"] for row in told["info"]}
    assert (rows["Following"], rows["Behind By"]) == ([leader["name"]], ["2 s"])
    assert {row["name"]: row["values"] for row in (await scene.told(leader))["info"]}["Followers"] == [follower["name"]]
    assert (await scene.told(leader))["following"] is None
    path, words = f"/client/v11/databases/{follower['id']}", "follows another database"
    parts = ("restores", "backups", "transfer-schedules", "transfers")
    for method, part in (("PUT", "reset"), *(("POST", part) for part in parts)):
        await scene.refused(method, f"{path}/{part}", words, backup_url="https://example.com/x")
    await scene.refused("POST", f"/postgres/v0/databases/{follower['id']}/credentials", words, name="reader")
    await scene.refused("PATCH", f"/apps/led/addons/{follower['id']}", words, plan="heroku-postgresql:standard-2")
    for option in ("fork", "follow"):
        await scene.refused("POST", "/apps/led/addons", "follow", plan=_PLAN, config={option: follower["name"]})
    found = (await scene.house.operator.client.get("/senryu/data-usage")).json()
    assert found["standby_bytes"] == 5000


async def test_what_cannot_be_followed_is_refused(scene: Scene) -> None:
    leader, _ = await scene.pair("rules")
    small = await scene.stage.database("rules", "essential-0")
    await scene.refused("POST", "/apps/rules/addons", "standard plan", plan=_PLAN, config={"follow": small["name"]})
    await scene.refused(
        "POST", "/apps/rules/addons", "standard plan", plan="heroku-postgresql:essential-0", config={"follow": leader["name"]}
    )
    await scene.refused("POST", "/apps/rules/addons", "Use one of", plan=_PLAN, config={"follow": "DATABASE", "fork": "DATABASE"})
    await scene.refused("POST", "/apps/rules/addons", "no option", plan=_PLAN, config={"follow": "DATABASE", "version": "15"})
    await scene.refused("PATCH", f"/apps/rules/addons/{leader['id']}", "standard plan", plan="heroku-postgresql:essential-0")
    scene.house.platform = replace(scene.house.platform, following=None)
    scene.house.api.state.platform = scene.house.platform
    await scene.refused("POST", "/apps/rules/addons", "use --fork", plan=_PLAN, config={"follow": "DATABASE"})


async def test_somebody_elses_database_is_not_followed(scene: Scene) -> None:
    await scene.pair("theirs")
    other = await scene.house.person("other@example.com")
    assert (await other.client.post("/apps", json={"name": "mine"})).status_code == 201
    answer = await other.client.post("/apps/mine/addons", json={"plan": _PLAN, "config": {"follow": "theirs::DATABASE"}})
    assert answer.status_code in (403, 404)


async def test_a_rotation_of_the_leader_leads_the_follower(scene: Scene) -> None:
    leader, _ = await scene.pair("turned")
    assert (await scene.house.client.post(f"/postgres/v0/databases/{leader['id']}/credentials_rotation", json={})).status_code == 200
    config = await scene.config("turned")
    [url] = [value for key, value in config.items() if key != "DATABASE_URL" and value.startswith("postgres")]
    assert url == config["DATABASE_URL"].replace(":5432/", ":5433/")


async def test_a_leader_goes_only_by_force_and_its_followers_with_it(scene: Scene) -> None:
    leader, follower = await scene.pair("going")
    await scene.refused("DELETE", f"/apps/going/addons/{leader['id']}", follower["name"], force=False)
    assert not await end_following(scene.following, **releasing(scene.house.platform)) and not scene.following.ended
    answer = await scene.house.client.request("DELETE", f"/apps/going/addons/{leader['id']}", json={"force": True})
    assert answer.status_code == 200
    assert (await scene.house.client.get("/apps/going/addons")).json() == []
    assert await end_following(scene.following, **releasing(scene.house.platform)) and scene.following.ended


async def test_the_last_follower_takes_the_copy_of_the_server_along(scene: Scene) -> None:
    _, follower = await scene.pair("last")
    await scene.house.client.request("DELETE", f"/apps/last/addons/{follower['id']}", json={"force": False})
    assert scene.following.ended == 1


async def test_an_unfollowed_database_is_its_own_and_one_that_could_not_be_filled_goes_on_following(scene: Scene) -> None:
    leader, follower = await scene.pair("own")
    path = f"/client/v11/databases/{follower['id']}"
    await scene.refused("PUT", f"/client/v11/databases/{leader['id']}/unfollow", "does not follow")
    scene.stage.programs.fails = True
    assert (await scene.house.client.put(f"{path}/unfollow")).status_code == 200
    assert (await scene.stage.ended("own", 1))["succeeded"] is False
    assert (await scene.told(follower))["following"]
    scene.stage.programs.fails = False
    before = await scene.config("own")
    assert (await scene.house.client.put(f"{path}/unfollow")).status_code == 200
    assert (await scene.stage.ended("own", 2))["succeeded"] is True
    assert (await scene.told(follower))["following"] is None
    assert (await scene.house.client.get(f"{path}/wait_status")).json()["waiting?"] is False
    after = await scene.config("own")
    assert after["DATABASE_URL"] == before["DATABASE_URL"] and after != before
    releases = (await scene.house.client.get("/apps/own/releases")).json()
    assert f"(@{follower['name']})" in max(releases, key=lambda each: each["version"])["description"]
    assert scene.stage.programs.restored[-1][1] == b"PGDMP" + leader["id"].encode()


async def test_a_follower_waits_for_the_copy_of_the_server_and_is_then_released(scene: Scene) -> None:
    scene.supplier.is_late = True
    _, follower = await scene.pair("late")
    assert follower["state"] == "provisioning"
    assert (await scene.house.client.get(f"/client/v11/databases/{follower['id']}/wait_status")).json()["waiting?"] is True
    await finish_add_ons(suppliers=scene.house.platform.suppliers, **releasing(scene.house.platform))
    scene.supplier.is_late = False
    await finish_add_ons(suppliers=scene.house.platform.suppliers, **releasing(scene.house.platform))

    async def made() -> Any:
        async with scene.house.platform.db.reading() as tx:
            found = await find_add_on(tx, follower["name"], vault=scene.house.platform.vault)
        return found is not None and found.state is AddOnState.PROVISIONED

    await eventually(made, "the follower")
    assert len(await scene.config("late")) == 2


async def test_a_follower_that_was_being_made_while_its_leader_got_another_password_has_that(scene: Scene) -> None:
    await scene.house.create("between")
    leader = await scene.stage.database("between", "standard-0")
    assert (await scene.house.client.post(f"/postgres/v0/databases/{leader['id']}/credentials_rotation", json={})).status_code == 200
    scene.supplier.gate = asyncio.Event()
    asking = asyncio.create_task(scene.stage.database("between", "standard-0", follow="DATABASE"))

    async def is_begun() -> bool:
        return len((await scene.house.client.get("/apps/between/addons")).json()) == 2

    await eventually(is_begun, "the follower")
    await asyncio.sleep(0)
    assert (await scene.house.client.post(f"/postgres/v0/databases/{leader['id']}/credentials_rotation", json={})).status_code == 200
    scene.supplier.gate.set()
    await asking
    config = await scene.config("between")
    [url] = [value for key, value in config.items() if key != "DATABASE_URL"]
    assert url == config["DATABASE_URL"].replace("10.0.0.1:5432/", "10.0.0.1:5433/")
