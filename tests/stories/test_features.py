"""Features of an app that are switched off."""

from __future__ import annotations

from house import House, eventually
from senryu.core.route import Route, RouteMode
from senryu.engines.memory import Running


async def test_without_dyno_metadata_dynos_are_not_told_of_app_and_release(house: House) -> None:
    await house.create("quiet")
    assert (await house.client.patch("/apps/quiet/features/runtime-dyno-metadata", json={"enabled": False})).json()["enabled"] is False
    await house.deploy("quiet", "web: x")
    await house.settle("quiet")
    [dyno] = await house.serving("quiet")
    assert not [key for key in dyno.order.env if key.startswith("HEROKU_")]
    assert (await house.client.patch("/apps/quiet/features/runtime-dyno-metadata", json={"enabled": True})).json()["enabled"] is True
    await house.client.delete("/apps/quiet/dynos")
    await house.settle("quiet")
    [dyno] = await house.serving("quiet")
    assert dyno.order.env["HEROKU_APP_NAME"] == "quiet"


async def test_nothing_runs_inside_dynos_of_an_app_without_exec(house: House) -> None:
    await house.create("closed")
    await house.deploy("closed", "web: x")
    await house.settle("closed")
    await house.client.patch("/apps/closed/features/runtime-heroku-exec", json={"enabled": False})
    refused = await house.client.post("/apps/closed/dynos/web.1", json={"command": "sh", "env": {}})
    assert refused.status_code == 409 and "runtime-heroku-exec" in refused.json()["message"]


async def test_free_dynos_are_replaced_at_once_and_a_deploy_that_crashes_is_what_visitors_see(house: House) -> None:
    await house.create("free")
    await house.deploy("free", "web: good")
    assert (await house.client.get("/apps/free/features/preboot")).json()["enabled"]
    assert (await house.client.patch("/apps/free/formation/web", json={"size": "free"})).status_code == 200
    await house.settle("free")
    assert not (await house.client.get("/apps/free/features/preboot")).json()["enabled"]
    refused = await house.client.patch("/apps/free/features/preboot", json={"enabled": True})
    assert refused.status_code == 422 and "ps:type" in refused.json()["message"]

    async def crash(dyno: Running) -> int:
        return 3

    house.engine.programs["bad"] = crash
    _, output = await house.deploy("free", "web: bad")
    assert "v3 is released, but web.1 crashed during boot (exit status 3)" in output
    assert "deployed to Senryu" in output
    route = await eventually(lambda: _crashed(house))
    assert route.mode is RouteMode.CRASHED
    assert await house.serving("free") == []
    await house.deploy("free", "web: better")
    assert [dyno.order.command for dyno in await house.serving("free")] == ["better"]


async def _crashed(house: House) -> Route | None:
    route = await house.router.route_of("free")
    return route if route is not None and route.mode is RouteMode.CRASHED else None
