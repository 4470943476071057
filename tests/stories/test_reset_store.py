"""New passwords of key-value stores: at no moment is an app locked out, whatever fails when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import pytest

from house import House
from senryu.actions.reset_store import finish_resets
from senryu.api.parts import releasing
from senryu.core.errors import Unavailable
from senryu.providers.redis import SERVICE
from stand_ins import ScriptedSupplier

_SETTINGS = {"maxmemory-policy": "noeviction", "timeout": "300", "notify-keyspace-events": ""}


class ScriptedStores:
    """Servers in memory: `lets_in` are the URLs that count; `fails_at` names a call that fails once."""

    def __init__(self) -> None:
        self.lets_in: dict[UUID, set[str]] = {}
        self.settings: dict[str, str] = dict(_SETTINGS)
        self.fails_at = ""
        self.number = 0

    def _begin(self, call: str) -> None:
        if self.fails_at == call:
            self.fails_at = ""
            raise Unavailable("The store is away.")

    async def state(self, id: UUID) -> Mapping[str, str]:
        self._begin("state")
        versions = {"redis_version": "7.0.9", "installed_version": "7.0.15"}
        return {**self.settings, **versions, "used_memory": "1048576", "connected_clients": "3"}

    async def admit(self, id: UUID, former: str) -> Mapping[str, str]:
        self._begin("admit")
        self.number += 1
        self.lets_in[id] = {former, f"rediss://:p{self.number}@10.0.0.1:20001"}
        return {"URL": f"rediss://:p{self.number}@10.0.0.1:20001"}

    async def dismiss(self, id: UUID, current: str) -> None:
        self._begin("dismiss")
        self.lets_in[id] = {current}

    async def configure(self, id: UUID, *, eviction: str | None, timeout_s: int | None, events: str | None) -> None:
        wanted = {"maxmemory-policy": eviction, "timeout": timeout_s, "notify-keyspace-events": events}
        self.settings |= {name: str(value) for name, value in wanted.items() if value is not None}

    async def reset_stats(self, id: UUID) -> None:
        self._begin("reset_stats")

    async def restart(self, id: UUID) -> None:
        self._begin("restart")


@pytest.fixture
def stores(house: House) -> ScriptedStores:
    made = ScriptedStores()
    house.platform = replace(house.platform, suppliers={SERVICE.name: ScriptedSupplier(SERVICE)}, stores=made)
    house.api.state.platform = house.platform
    return made


async def _made(house: House, app: str) -> str:
    await house.create(app)
    await house.deploy(app)
    answer = await house.client.post(f"/apps/{app}/addons", json={"plan": "senryu-redis:mini", "name": f"{app}-store"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _url(house: House, app: str) -> str:
    return str((await house.client.get(f"/apps/{app}/config-vars")).json()["REDIS_URL"])


async def _reset(house: House, app: str) -> int:
    return (await house.client.post(f"/redis/v0/databases/{app}-store/credentials_rotation", json={})).status_code


async def test_every_app_that_has_the_store_is_released_with_the_new_password(house: House, stores: ScriptedStores) -> None:
    id = await _made(house, "one")
    await house.create("two")
    await house.client.post("/addon-attachments", json={"addon": "one-store", "app": "two", "name": "SHARED"})
    assert await _reset(house, "one") == 200
    url = await _url(house, "one")
    assert stores.lets_in[UUID(id)] == {url}
    assert (await house.client.get("/apps/two/config-vars")).json() == {"SHARED_URL": url}
    for app, name in (("one", "REDIS"), ("two", "SHARED")):
        assert (await house.releases(app))[-1].description == f"Update {name} (@one-store)"
    shown = (await house.client.get("/redis/v0/databases/one-store")).json()
    assert (shown["resource_url"], shown["plan"], shown["prefer_native_tls"]) == (url, "mini", True)
    await house.settle("one")
    [dyno] = await house.serving("one")
    assert (dyno.order.env["REDIS_URL"], dyno.order.reaches) == (url, (20001,))


@pytest.mark.parametrize("call", ["admit", "dismiss"])
async def test_one_that_fails_half_way_locks_nobody_out_and_is_finished(house: House, stores: ScriptedStores, call: str) -> None:
    id = UUID(await _made(house, "half"))
    assert await _reset(house, "half") == 200
    before, stores.fails_at = await _url(house, "half"), call
    assert await _reset(house, "half") == 503
    assert {before, await _url(house, "half")} <= stores.lets_in[id]  # dynos may have either
    await finish_resets(stores=stores, **releasing(house.platform))
    assert stores.lets_in[id] == {await _url(house, "half")}
    assert (await _url(house, "half") == before) is (call == "admit")
    releases = len(await house.releases("half"))
    await finish_resets(stores=stores, **releasing(house.platform))
    assert len(await house.releases("half")) == releases


async def test_settings_are_checked_and_shown(house: House, stores: ScriptedStores) -> None:
    await _made(house, "set")
    path = "/redis/v0/databases/set-store"
    for wrong in ({"maxmemory_policy": "none"}, {"timeout": -1}, {"timeout": "60"}, {"notify_keyspace_events": "AKE\nport 1"}):
        assert (await house.client.patch(f"{path}/config", json=wrong)).status_code == 422, wrong
    body = {"maxmemory_policy": "allkeys-lru", "timeout": 0, "notify_keyspace_events": ""}
    changed = (await house.client.patch(f"{path}/config", json=body)).json()
    assert changed["maxmemory_policy"]["values"]["allkeys-lru"] == "removes less recently used keys first"
    assert changed["timeout"]["value"] == 0 and (await house.client.get(f"{path}/config")).json() == changed
    assert (await house.client.post(f"{path}/stats/reset", json={})).status_code == 200
    assert "7.0.9" in (await house.client.post(f"{path}/upgrade", json={"version": "7.0"})).json()["message"]
    assert (await house.client.post(f"{path}/upgrade", json={"version": "6.2"})).status_code == 422
    wire = await house.client.post(f"{path}/wires", json={})
    assert wire.status_code == 201 and wire.json()["attach_url"].startswith("rendezvous://")
    assert (await house.client.get(f"{path}/wait")).json() == {"waiting?": False, "message": "available"}
    stores.fails_at = "state"
    rows = {row["name"]: row["values"] for row in (await house.client.get(path)).json()["info"]}
    assert rows["Status"] == ["The store is away."]


async def test_nobody_else_sees_a_store(house: House, stores: ScriptedStores) -> None:
    await _made(house, "mine")
    stranger = await house.person("stranger@example.com")
    for method, rest in (("GET", ""), ("GET", "/wait"), ("PATCH", "/config"), ("POST", "/credentials_rotation"), ("POST", "/stats/reset")):
        answer = await stranger.client.request(method, f"/redis/v0/databases/mine-store{rest}", json={} if method != "GET" else None)
        assert answer.status_code == 404, (method, rest)
