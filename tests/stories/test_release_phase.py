"""`release:` in a Procfile: run before a release counts, and stopping it when it fails."""

from __future__ import annotations

import asyncio

from house import House, eventually
from senryu.engines.memory import Running

PROCFILE = "web: serve\nrelease: migrate"


async def _good(dyno: Running) -> int:
    dyno.write(b"migrating with " + dyno.env.get("KEY", "nothing").encode())
    return 0


async def _bad(dyno: Running) -> int:
    dyno.write(b"relation already exists")
    return 4


async def test_a_release_command_that_succeeds_lets_the_release_through(house: House) -> None:
    app = await house.create("phase")
    house.engine.programs["migrate"] = _good
    build, output = await house.deploy("phase", PROCFILE)
    assert "deployed to Senryu" in output
    release = (await house.client.get("/apps/phase/releases/2")).json()
    assert release["status"] == "succeeded"
    assert (await house.anyone().get(release["output_stream_url"])).text == "migrating with nothing\n"
    assert any(line.startswith("app[release.") and line.endswith("]: migrating with nothing") for line in await house.log_of(app["id"]))
    assert build["release"] == {"id": release["id"]}
    await house.settle("phase")


async def test_a_release_command_that_fails_leaves_the_old_release_serving(house: House) -> None:
    await house.create("phase")
    await house.deploy("phase", "web: old")
    [old] = await house.serving("phase")
    house.engine.programs["migrate"] = _bad
    _, output = await house.deploy("phase", PROCFILE)
    assert "release command failed with exit status 4" in output
    assert "deployed to Senryu" not in output
    await house.settle("phase")
    assert await house.serving("phase") == [old]
    release = (await house.client.get("/apps/phase/releases/3")).json()
    assert (release["status"], release["current"], release["eligible_for_rollback"]) == ("failed", False, False)
    assert (await house.anyone().get(release["output_stream_url"])).text == "relation already exists\n"


async def test_a_config_change_and_a_rollback_run_the_release_command_with_their_own_config(house: House) -> None:
    await house.create("phase")
    house.engine.programs["migrate"] = _good
    await house.deploy("phase", PROCFILE)
    await house.set("phase", KEY="new")
    await eventually(lambda: _statuses_are(house, "succeeded", 3))
    outputs = [release["output_stream_url"] for release in (await house.client.get("/apps/phase/releases")).json()]
    assert (await house.anyone().get(outputs[2])).text == "migrating with new\n"
    await house.client.post("/apps/phase/releases", json={"release": "v2"})
    await eventually(lambda: _statuses_are(house, "succeeded", 4))
    url = (await house.client.get("/apps/phase/releases/4")).json()["output_stream_url"]
    assert (await house.anyone().get(url)).text == "migrating with nothing\n"


async def _statuses_are(house: House, status: str, count: int) -> bool:
    releases = await house.releases("phase")
    return len(releases) == count and all(release.status.value == status for release in releases)


async def test_a_config_change_whose_release_command_fails_keeps_the_old_config(house: House) -> None:
    await house.create("phase")
    house.engine.programs["migrate"] = _good
    await house.deploy("phase", PROCFILE)
    house.engine.programs["migrate"] = _bad
    await house.set("phase", KEY="bad")
    await eventually(lambda: _last_is(house, "failed"))
    await house.settle("phase")
    [dyno] = await house.serving("phase")
    assert "KEY" not in dyno.env
    assert (await house.client.get("/apps/phase/config-vars")).json() == {}


async def _last_is(house: House, status: str) -> bool:
    return (await house.releases("phase"))[-1].status.value == status


async def test_release_commands_of_an_app_run_one_after_the_other_in_order(house: House) -> None:
    await house.create("phase")
    running, most, order = 0, 0, list[str]()

    async def slow(dyno: Running) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        order.append(dyno.env.get("N", "deploy"))
        return 0

    house.engine.programs["migrate"] = slow
    await house.deploy("phase", PROCFILE)
    for number in range(3):
        await house.set("phase", N=str(number))
    await eventually(lambda: _statuses_are(house, "succeeded", 5))
    assert order == ["deploy", "0", "1", "2"]
    assert most == 1


async def test_a_release_phase_that_a_restart_cut_off_is_found_again_and_not_run_twice(house: House) -> None:
    await house.create("phase")
    go, runs = asyncio.Event(), list[Running]()

    async def waits(dyno: Running) -> int:
        runs.append(dyno)
        await go.wait()
        dyno.write(b"done")
        return 0

    house.engine.programs["migrate"] = waits
    await house.start_build("phase", {"Procfile": PROCFILE})
    await eventually(lambda: runs)
    await house.restart()
    go.set()
    await eventually(lambda: _statuses_are(house, "succeeded", 2))
    await house.settle("phase")
    assert len(runs) == 1


async def test_an_app_destroyed_in_its_release_phase_leaves_nothing(house: House) -> None:
    await house.create("phase")
    runs = list[Running]()

    async def waits(dyno: Running) -> int:
        runs.append(dyno)
        await dyno.ended.wait()
        return 143

    house.engine.programs["migrate"] = waits
    started = await house.start_build("phase", {"Procfile": PROCFILE})
    output = asyncio.create_task(house.anyone().get(started.json()["output_stream_url"]))
    await eventually(lambda: runs)
    assert (await house.client.delete("/apps/phase")).status_code == 200
    await asyncio.wait_for(output, 10)
    await eventually(lambda: not house.engine.running and not list(house.streams_dir.iterdir()))
