"""The platform is killed in the middle of things and comes back."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import pytest

from house import House, eventually
from senryu.core.route import RouteMode
from senryu.engines.memory import Running

from .mortal import Killed, Mortal

# Every step of the story is a place to die at; the suite takes some, SENRYU_DEATHS=1-200 takes all of a range.
_FIRST, _, _LAST = os.environ.get("SENRYU_DEATHS", "").partition("-")
DEATHS = range(int(_FIRST), int(_LAST) + 1) if _LAST else (1, 4, 7, 12, 18, 25, 33, 42, 54, 70)


async def _migrate(dyno: Running) -> int:
    dyno.write(b"migrated")
    return 0


async def _live(house: House, acknowledged: dict[str, str]) -> None:
    """Deploys, configures and scales, as long as somebody answers."""
    with suppress(Killed):
        build = await house.start_build("mortal", {"Procfile": "web: new\nworker: w\nrelease: migrate"}, "1234567890")
        acknowledged["build"] = build.json()["id"]
        await house.anyone().get(build.json()["output_stream_url"])
        if (await house.set("mortal", KEY="value")).status_code == 200:
            acknowledged["config"] = "value"
        answer = await house.client.patch("/apps/mortal/formation", json={"updates": [{"type": "web", "quantity": 2}]})
        if answer.status_code == 200:
            acknowledged["web"] = "2"


@pytest.mark.parametrize("at", DEATHS)
async def test_whenever_the_platform_dies_it_comes_back_to_what_was_acknowledged(house: House, at: int) -> None:
    house.engine.programs["migrate"] = _migrate
    await house.create("mortal")
    await house.deploy("mortal", "web: old")
    await house.settle("mortal")
    mortal, acknowledged = Mortal(house, at), dict[str, str]()
    life = asyncio.create_task(_live(house, acknowledged))
    await eventually(lambda: mortal.is_dead or life.done(), f"death at step {at}")
    if mortal.is_dead:
        assert house.engine.running, "visitors are served while nobody is there"
    mortal.bury()
    await house.restart()
    life.cancel()
    await asyncio.wait({life})

    await eventually(lambda: _is_all_settled(house), f"rest after death {mortal.point}")
    await house.settle("mortal")
    releases = await house.releases("mortal")
    assert [release.version for release in releases] == list(range(1, len(releases) + 1))
    await eventually(lambda: _is_no_build_pending(house), "the end of builds that were cut off")
    config = (await house.client.get("/apps/mortal/config-vars")).json()
    assert config.get("KEY", "") == acknowledged.get("config", config.get("KEY", ""))
    recorded = {dyno.id for dyno in await house.dynos("mortal") if dyno.ended_at is None}
    assert house.engine.running.keys() == recorded
    route = await house.router.route_of("mortal")
    assert route is not None
    assert route.mode is RouteMode.SERVE
    assert len(await house.serving("mortal")) == int(acknowledged.get("web", len(await house.serving("mortal"))))
    # And it is whole: the next deploy works.
    _, output = await house.deploy("mortal", "web: newest")
    assert "deployed to Senryu" in output
    await house.settle("mortal")
    assert {dyno.order.command for dyno in await house.serving("mortal")} == {"newest"}


async def _is_all_settled(house: House) -> bool:
    return all(release.status.value in ("succeeded", "failed") for release in await house.releases("mortal"))


async def _is_no_build_pending(house: House) -> bool:
    return all(build["status"] != "pending" for build in (await house.client.get("/apps/mortal/builds")).json())


async def test_a_build_that_a_restart_cut_off_is_failed_and_its_output_ends(house: House) -> None:
    await house.create("cut")
    house.builder.gate = asyncio.Event()
    build = (await house.start_build("cut", {"Procfile": "web: x"})).json()
    await eventually(lambda: house.builder.orders)
    await house.restart()
    house.builder.gate = None
    answer = (await house.client.get(f"/apps/cut/builds/{build['id']}")).json()
    assert answer["status"] == "failed"
    assert answer["failure"]
    assert "Scripted app detected" in (await house.anyone().get(build["output_stream_url"])).text
    assert (await house.deploy("cut"))[0]["status"] == "succeeded"


async def test_a_machine_that_was_switched_off_starts_its_dynos_again(house: House) -> None:
    app = await house.create("reboot")
    await house.deploy("reboot", "web: serve\nworker: w")
    await house.client.patch("/apps/reboot/formation", json={"updates": [{"type": "worker", "quantity": 1}]})
    await house.settle("reboot")
    before = set(house.engine.running)
    for dyno in list(house.engine.running.values()):
        dyno.end(137)
    house.engine.running.clear()
    await house.restart()
    await eventually(lambda: len(house.engine.running) == 2 and not before & house.engine.running.keys())
    await house.settle("reboot")
    assert len(await house.serving("reboot")) == 1
    assert "heroku[web.1]: Process exited with status 137" not in await house.log_of(app["id"])


async def test_dynos_and_routes_nobody_wants_are_removed(house: House) -> None:
    await house.create("kept")
    await house.deploy("kept")
    await house.create("gone")
    await house.deploy("gone")
    [stray] = await house.serving("gone")
    route = await house.router.route_of("gone")
    assert route is not None
    await house.client.delete("/apps/gone")
    # As if the platform had died right after the rows were deleted.
    await house.engine.start(stray.order)
    await house.router.apply(route)
    await house.restart()
    await eventually(lambda: stray.order.id not in house.engine.running)
    await eventually(lambda: _has_no_route(house, "gone"))
    assert len(await house.serving("kept")) == 1


async def _has_no_route(house: House, name: str) -> bool:
    return await house.router.route_of(name) is None
