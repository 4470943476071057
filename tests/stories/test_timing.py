"""A deploy says where its time went."""

from __future__ import annotations

from house import House


async def test_a_release_knows_how_long_the_steps_of_its_deploy_took(house: House) -> None:
    await house.create("timed")
    await house.deploy("timed", "web: serve")
    release = (await house.client.get("/apps/timed/releases/2")).json()
    assert {"release_s", "start_s", "bind_s", "route_s", "total_s"} <= set(release["timing"])
    assert all(seconds >= 0 for seconds in release["timing"].values())


async def test_a_release_without_web_dynos_has_no_time_of_starting_them(house: House) -> None:
    await house.create("idle")
    await house.deploy("idle", "worker: work")
    release = (await house.client.get("/apps/idle/releases/2")).json()
    assert "start_s" not in release["timing"] and release["timing"]["total_s"] >= 0
