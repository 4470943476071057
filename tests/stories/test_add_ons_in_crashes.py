"""The platform dies at each step of each change of what apps have from add-ons: config vars, newest release and dynos stay one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

import partner_server
from house import House, eventually
from senryu.actions.change_add_on import finish_plans
from senryu.actions.credentials import finish_credentials
from senryu.actions.partners import partner_configures, partner_provisioned
from senryu.actions.provision import finish_add_ons
from senryu.actions.reset_store import finish_resets
from senryu.api.parts import releasing
from senryu.core.add_on import AddOn, AddOnState
from senryu.core.partner import manifest_in
from senryu.providers.redis import SERVICE as REDIS
from senryu.store.add_ons import find_add_on, list_add_ons
from stand_ins import ScriptedDatabases, ScriptedSupplier

from .mortal import Killed, Mortal
from .test_backups import Stage
from .test_followers import ScriptedFollowing
from .test_reset_store import ScriptedStores

_APPS = ("host", "guest")
_MANIFEST = manifest_in(partner_server.manifest(1))
_STANDARD = {"plan": "heroku-postgresql:standard-0"}


class MortalAtCommits(Mortal):
    """Dies before or after a commit; of deaths between calls of the engine test_restart.py tells."""

    def _step(self, point: str) -> None:
        if self.is_dead or point.endswith("commit"):
            super()._step(point)


class Scene:
    """A house with a database that two apps have attached, `host` and `guest`, and what else a story needs."""

    def __init__(self, house: House) -> None:
        self.house, self.stage = house, Stage(house)
        found = house.platform.suppliers["heroku-postgresql"]
        assert isinstance(found, ScriptedSupplier)
        self.databases, self.stores, self.supplier = ScriptedDatabases(), ScriptedStores(), found
        self.supplier.moves = True
        self.stage.transfers.suppliers[REDIS.name] = ScriptedSupplier(REDIS)  # type: ignore[index]
        house.platform = replace(house.platform, databases=self.databases, stores=self.stores, following=ScriptedFollowing())
        house.api.state.platform = house.platform

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = await self.house.client.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def prepare(self) -> None:
        for app in _APPS:
            await self.house.create(app)
            await self.house.deploy(app)
        await self.ask("POST", "/apps/host/addons", **_STANDARD, name="db")
        await self.ask("POST", "/addon-attachments", addon="db", app="guest")

    async def add_on(self, name: str) -> AddOn:
        async with self.house.db.reading() as tx:
            found = await find_add_on(tx, name, vault=self.house.platform.vault)
        assert found is not None
        return found

    async def variables(self) -> dict[str, dict[str, str]]:
        """What each app that is there has from add-ons."""
        names = [app["name"] for app in (await self.house.client.get("/apps")).json()]
        return {name: dict((await self.house.client.get(f"/apps/{name}/config-vars")).json()) for name in names}

    async def versions(self) -> dict[str, int]:
        return {name: len(await self.house.releases(name)) for name in await self.variables()}

    async def settled(self) -> None:
        """Holds when each app's dyno runs the newest release, with its config vars and no others."""
        for name, variables in (await self.variables()).items():
            await self.house.settle(name)
            [dyno] = await self.house.serving(name)
            assert {key: value for key, value in dyno.order.env.items() if key.endswith("_URL")} == variables

    async def recover(self) -> None:
        """What a platform that starts goes on with, and does again with each round."""
        platform = self.house.platform
        parts = releasing(platform)
        await finish_add_ons(suppliers=platform.suppliers, began=platform.clock.now(), **parts)
        await finish_plans(suppliers=platform.suppliers, **parts)
        await finish_resets(stores=self.stores, **parts)
        await finish_credentials(databases=self.databases, suppliers=platform.suppliers, older_s=0.0, **parts)


Story = Callable[[Scene], Awaitable[Any]]


async def _nothing(scene: Scene) -> None:
    return None


async def _create(scene: Scene) -> None:
    await scene.ask("POST", "/apps/host/addons", **_STANDARD, name="second")


async def _attach(scene: Scene) -> None:
    await scene.ask("POST", "/addon-attachments", addon="db", app="guest", name="AGAIN")


async def _promote(scene: Scene) -> None:
    await scene.ask("POST", "/addon-attachments", addon="second", app="host", name="DATABASE", confirm="host")


async def _attach_again_and_create(scene: Scene) -> None:
    await scene.ask("POST", "/addon-attachments", addon="db", app="host", name="KEPT")
    await _create(scene)


async def _detach(scene: Scene) -> None:
    [attachment] = await scene.ask("GET", "/apps/guest/addon-attachments")
    await scene.ask("DELETE", f"/addon-attachments/{attachment['id']}")


async def _destroy(scene: Scene) -> None:
    await scene.ask("DELETE", "/apps/host/addons/db", force=True)


async def _destroy_app(scene: Scene) -> None:
    await scene.ask("DELETE", "/apps/host")


async def _change_plan(scene: Scene) -> None:
    await scene.ask("PATCH", "/apps/host/addons/db", plan="heroku-postgresql:standard-2")


async def _rotate(scene: Scene) -> None:
    await scene.ask("POST", "/postgres/v0/databases/db/credentials_rotation")


async def _name_a_reader(scene: Scene) -> None:
    await scene.ask("POST", "/postgres/v0/databases/db/credentials", name="reader")
    await scene.ask("POST", "/addon-attachments", addon="db", app="guest", name="READER", namespace="credential:reader")


async def _rotate_reader(scene: Scene) -> None:
    await scene.ask("POST", "/postgres/v0/databases/db/credentials/reader/credentials_rotation")


async def _store(scene: Scene) -> None:
    await scene.ask("POST", "/apps/host/addons", plan="senryu-redis:mini", name="store")
    await scene.ask("POST", "/addon-attachments", addon="store", app="guest")


async def _reset(scene: Scene) -> None:
    await scene.ask("POST", "/redis/v0/databases/store/credentials_rotation")


async def _follow(scene: Scene) -> None:
    await scene.ask("POST", "/postgres/v0/databases/db/credentials_rotation")  # so that the follower has a URL to follow
    await scene.ask("POST", "/apps/guest/addons", **_STANDARD, name="copy", config={"follow": "host::DATABASE"})


async def _unfollow(scene: Scene) -> None:
    copy = await scene.add_on("copy")
    await scene.ask("PUT", f"/client/v11/databases/{copy.id}/unfollow")
    await scene.stage.ended("guest", 1)


async def _ask_a_slow_one(scene: Scene) -> None:
    scene.supplier.is_slow = True
    await scene.ask("POST", "/apps/host/addons", **_STANDARD, name="slow")
    await partner_configures(await scene.add_on("slow"), {"MAILER_URL": "scripted://slow"}, manifest=_MANIFEST, **_parts(scene))


async def _slow_one_is_there(scene: Scene) -> None:
    await partner_provisioned(await scene.add_on("slow"), **_parts(scene))


async def _slow_one_configured(scene: Scene) -> None:
    await _ask_a_slow_one(scene)
    await _slow_one_is_there(scene)


async def _configure(scene: Scene) -> None:
    await partner_configures(await scene.add_on("slow"), {"MAILER_URL": "scripted://other"}, manifest=_MANIFEST, **_parts(scene))


def _parts(scene: Scene) -> Any:
    return releasing(scene.house.platform)


_STORIES: dict[str, tuple[Story, Story]] = {
    "create": (_nothing, _create),
    "attach": (_nothing, _attach),
    "promote": (_attach_again_and_create, _promote),
    "detach": (_nothing, _detach),
    "destroy": (_nothing, _destroy),
    "destroy the app": (_nothing, _destroy_app),
    "destroy what is followed": (_follow, _destroy),
    "change the plan": (_nothing, _change_plan),
    "rotate": (_follow, _rotate),
    "rotate a credential": (_name_a_reader, _rotate_reader),
    "reset a store": (_store, _reset),
    "unfollow": (_follow, _unfollow),
    "a partner is ready": (_ask_a_slow_one, _slow_one_is_there),
    "a partner configures": (_slow_one_configured, _configure),
}


@pytest.mark.parametrize("name", _STORIES)
async def test_whenever_the_platform_dies_each_change_is_released_once_or_did_not_happen(name: str, new_house: Callable[[], Any]) -> None:
    for at in range(1, 60):
        async with new_house() as house:
            scene = Scene(house)
            if not await _dies(scene, *_STORIES[name], at, 2 if _STORIES[name][0] is _follow else 1):  # its leader's and its own
                assert at > 3  # it did die at some steps before
                return
    raise AssertionError("it never came to an end")


async def _dies(scene: Scene, before: Story, story: Story, at: int, most: int) -> bool:
    """Whether the platform died on the way. `most` is how many releases an app may get."""
    house = scene.house
    await scene.prepare()
    await before(scene)
    await scene.settled()
    variables, versions = await scene.variables(), await scene.versions()
    mortal = MortalAtCommits(house, at)
    life = asyncio.create_task(_lived(story, scene))
    await eventually(lambda: mortal.is_dead or life.done(), f"death at step {at}")
    is_dead, point = mortal.is_dead, mortal.point
    mortal.bury()
    await house.restart()
    life.cancel()
    await asyncio.wait({life})
    if not is_dead:
        life.result()
    for _ in range(2):  # what one start did the next leaves alone
        await scene.recover()
    await scene.settled()
    after, counts = await scene.variables(), await scene.versions()
    for app in after:
        assert (counts[app] > versions[app]) is (after[app] != variables[app]), f"{app}, dead {point}"
        assert counts[app] - versions[app] <= most
    async with house.db.reading() as tx:
        left = await list_add_ons(tx, vault=house.platform.vault)
    assert all(each.next_plan is None and each.state in (AddOnState.PROVISIONED, AddOnState.PROVISIONING) for each in left)
    return is_dead


async def _lived(story: Story, scene: Scene) -> None:
    """Up to the end of what follows: under load the answer may come before its commits."""
    with suppress(Killed):
        await story(scene)
        await scene.settled()
