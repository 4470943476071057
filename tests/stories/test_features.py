"""Features of an app that are switched off."""

from __future__ import annotations

from house import House


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
