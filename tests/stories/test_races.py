"""Things that happen at the same time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from house import House, eventually, tarball
from senryu.actions.build import begin_build
from senryu.actions.push import push
from senryu.api.parts import deploying
from senryu.core.app import App
from senryu.core.build import BuildFailed
from senryu.core.release import Release
from senryu.core.source import Source
from senryu.store.apps import find_app


async def test_a_hundred_keys_set_at_once_are_all_there_each_by_a_release_of_its_own(house: House) -> None:
    await house.create("crowd")
    answers = await asyncio.gather(*(house.set("crowd", **{f"KEY_{number}": str(number)}) for number in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    config = (await house.client.get("/apps/crowd/config-vars")).json()
    assert config == {f"KEY_{number}": str(number) for number in range(100)}
    releases = await house.releases("crowd")
    assert [release.version for release in releases] == list(range(1, 102))
    # Each snapshot has one key more than the one before.
    assert [len(release.config_vars) for release in releases] == list(range(101))


async def test_the_same_key_set_by_many_ends_as_one_of_them_and_loses_no_other(house: House) -> None:
    await house.create("crowd")
    await house.set("crowd", OTHER="kept")
    await asyncio.gather(*(house.set("crowd", SAME=str(number)) for number in range(10)))
    config = (await house.client.get("/apps/crowd/config-vars")).json()
    assert config["OTHER"] == "kept"
    assert config["SAME"] in {str(number) for number in range(10)}
    assert (await house.releases("crowd"))[-1].config_vars == config


async def test_a_second_deploy_while_one_builds_is_a_conflict(house: House) -> None:
    await house.create("double")
    house.builder.gate = asyncio.Event()
    first = await house.start_build("double", {"Procfile": "web: first"})
    second = await house.start_build("double", {"Procfile": "web: second"})
    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["id"] == "conflict"
    assert second.json()["app"] == {"name": "double"}
    house.builder.gate.set()
    await house.anyone().get(first.json()["output_stream_url"])
    await house.settle("double")
    assert [dyno.order.command for dyno in await house.serving("double")] == ["first"]


async def _build_is(house: House, app: str, id: str, status: str) -> bool:
    return bool((await house.client.get(f"/apps/{app}/builds/{id}")).json()["status"] == status)


async def test_ten_deploys_at_once_are_one_build_and_nine_conflicts(house: House) -> None:
    await house.create("ten")
    house.builder.gate = asyncio.Event()
    answers = await asyncio.gather(*(house.start_build("ten", {"Procfile": f"web: n{number}"}) for number in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    house.builder.gate.set()


async def test_a_build_can_be_cancelled_and_the_next_one_works(house: House) -> None:
    await house.create("cancel")
    house.builder.gate = asyncio.Event()
    build = (await house.start_build("cancel", {"Procfile": "web: x"})).json()
    assert (await house.client.delete(f"/apps/cancel/builds/{build['id']}")).status_code == 200
    await eventually(lambda: _build_is(house, "cancel", build["id"], "failed"))
    assert "cancelled" in (await house.anyone().get(build["output_stream_url"])).text
    assert (await house.client.delete(f"/apps/cancel/builds/{build['id']}")).status_code == 409
    house.builder.gate = None
    assert (await house.deploy("cancel"))[0]["status"] == "succeeded"


async def test_a_build_that_breaks_in_an_unforeseen_way_does_not_block_the_app(house: House) -> None:
    await house.create("bug")
    blob = (await house.client.post("/sources")).json()["source_blob"]
    await house.anyone().put(blob["put_url"], content=b"this is no archive")
    started = await house.client.post("/apps/bug/builds", json={"source_blob": {"url": blob["get_url"]}})
    await eventually(lambda: _build_is(house, "bug", started.json()["id"], "failed"))
    assert (await house.deploy("bug"))[0]["status"] == "succeeded"


async def _no_sources(house: House) -> bool:
    return not await house.platform.blobs.keys("sources/")


async def test_an_app_destroyed_while_it_builds_leaves_nothing(house: House) -> None:
    await house.create("doomed")
    house.builder.gate = asyncio.Event()
    build = (await house.start_build("doomed", {"Procfile": "web: x"})).json()
    output = asyncio.create_task(house.anyone().get(build["output_stream_url"]))
    await eventually(lambda: house.builder.orders)
    assert (await house.client.delete("/apps/doomed")).status_code == 200
    house.builder.gate.set()
    await asyncio.wait_for(output, 10)
    await eventually(lambda: not list(house.streams_dir.iterdir()))
    assert house.engine.running == {}
    await eventually(lambda: _no_sources(house))


async def test_an_app_destroyed_while_it_rolls_out_leaves_nothing(house: House) -> None:
    await house.create("doomed")

    async def never_listens(dyno: object) -> int:
        await asyncio.Event().wait()
        return 0

    house.engine.programs["slow"] = never_listens
    await house.start_build("doomed", {"Procfile": "web: slow"})
    await eventually(lambda: house.engine.running)
    assert (await house.client.delete("/apps/doomed")).status_code == 200
    await eventually(lambda: not house.engine.running and not list(house.streams_dir.iterdir()))


async def test_a_name_asked_for_twice_at_once_is_given_once(house: House) -> None:
    answers = await asyncio.gather(*(house.client.post("/apps", json={"name": "wanted"}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422]


async def test_a_domain_claimed_by_two_apps_goes_to_one(house: House) -> None:
    await house.create("one-app")
    await house.create("two-app")
    paths = ["/apps/one-app/domains", "/apps/two-app/domains"] * 2
    answers = await asyncio.gather(*(house.client.post(path, json={"hostname": "www.example.org"}) for path in paths))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]


async def test_whatever_happens_at_once_ends_as_the_database_says(house: House) -> None:
    await house.create("chaos")
    await house.deploy("chaos", "web: serve\nworker: w")
    dice = random.Random(20260101)

    async def do(number: int) -> None:
        await asyncio.sleep(dice.random() * 0.3)
        match number % 5:
            case 0:
                await house.set("chaos", **{f"K{number}": "1"})
            case 1:
                quantity = {"type": "web", "quantity": dice.randint(1, 4)}
                await house.client.patch("/apps/chaos/formation", json={"updates": [quantity]})
            case 2:
                await house.client.delete("/apps/chaos/dynos")
            case 3:
                await house.client.post("/apps/chaos/releases", json={"release": "v2"})
            case _:
                await house.start_build("chaos", {"Procfile": f"web: s{number}\nworker: w"})

    await asyncio.gather(*(do(number) for number in range(25)))
    await eventually(lambda: _no_build_runs(house))
    await house.settle("chaos")
    releases = await house.releases("chaos")
    assert [release.version for release in releases] == list(range(1, len(releases) + 1))
    current = [release for release in releases if release.status.value == "succeeded"][-1]
    assert {dyno.env["HEROKU_RELEASE_VERSION"] for dyno in await house.serving("chaos")} == {f"v{current.version}"}
    assert len(house.engine.running) == len(await house.dynos("chaos"))


async def test_fifty_changes_of_every_kind_at_once_are_one_serial_history(house: House) -> None:
    await house.create("chaos")
    await house.deploy("chaos", "web: first")
    await house.set("chaos", KEPT="1")
    wanted: list[str] = []

    async def do(number: int) -> None:
        match number % 10:
            case 0:
                while (await house.start_build("chaos", {"Procfile": f"web: n{number}"}, f"{number:040x}")).status_code == 409:
                    await asyncio.sleep(0.01)
            case 1 | 2:
                assert (await house.client.post("/apps/chaos/releases", json={"release": "v3"})).status_code == 201
            case 3 | 4:
                wanted.append(str(number % 4 + 1))
                change = {"updates": [{"type": "web", "quantity": int(wanted[-1])}]}
                assert (await house.client.patch("/apps/chaos/formation", json=change)).status_code == 200
            case _:
                assert (await house.set("chaos", **{f"K{number}": str(number)})).status_code == 200

    await asyncio.gather(*(do(number) for number in range(50)))
    await eventually(lambda: _no_build_runs(house))
    await house.settle("chaos")
    releases = await house.releases("chaos")
    assert [release.version for release in releases] == list(range(1, 3 + 5 + 10 + 25 + 1))
    for before, release in itertools.pairwise(releases[2:]):
        code, config = before.process_types, dict(before.config_vars)
        match release.description.split():
            case ["Rollback", "to", "v3"]:
                code, config = releases[2].process_types, dict(releases[2].config_vars)
            case ["Set", key, *_]:
                config[key] = key.removeprefix("K")
            case ["Deploy", commit]:
                code = {"web": f"n{int(release.commit or '', 16)}"}
                assert (release.commit or "").startswith(commit)
            case _:
                raise AssertionError(release.description)
        assert (release.process_types, release.config_vars) == (code, config), release.description
    serving = await house.serving("chaos")
    assert {dyno.order.command for dyno in serving} == {releases[-1].process_types["web"]}
    assert str(len(serving)) in wanted


async def _no_build_runs(house: House) -> bool:
    return all(build["status"] != "pending" for build in (await house.client.get("/apps/chaos/builds")).json())


async def test_the_build_of_a_push_can_be_cancelled_and_the_pusher_is_told(house: House) -> None:
    await house.create("pushed")
    house.builder.gate = asyncio.Event()
    said: list[bytes] = []
    pushing = asyncio.ensure_future(_push(house, "pushed", said))
    build = (await eventually(lambda: _builds(house, "pushed")))[0]
    await eventually(lambda: house.builder.orders)
    assert (await house.client.delete(f"/apps/pushed/builds/{build['id']}")).status_code == 200
    with pytest.raises(BuildFailed, match="The build of pushed was cancelled"):
        await pushing
    assert await _build_is(house, "pushed", build["id"], "failed")
    assert [release.version for release in await house.releases("pushed")] == [1]
    assert await house.platform.blobs.keys("sources/") == []
    house.builder.gate.set()
    assert (await _push(house, "pushed", said)).version == 2


async def test_a_platform_that_stops_ends_a_push_without_calling_it_cancelled(house: House) -> None:
    await house.create("cut-off")
    house.builder.gate = asyncio.Event()
    pushing = asyncio.ensure_future(_push(house, "cut-off", []))
    await eventually(lambda: house.builder.orders)
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    [build] = await _builds(house, "cut-off")
    output = (await house.anyone().get(build["output_stream_url"])).text
    assert build["status"] == "failed"
    assert "ended with the platform" in output


async def test_a_build_that_has_not_begun_to_run_is_not_said_to_be_cancelled(house: House) -> None:
    await house.create("early")
    app = await _stored(house, "early")
    by, clock = house.owner.account, house.platform.clock
    started = await begin_build(app, Source("sources/x.tar", "c0ffee"), by=by, db=house.platform.db, clock=clock)
    answer = await house.client.delete(f"/apps/early/builds/{started.id}")
    assert answer.status_code == 409
    assert "cancel again" in answer.json()["message"]


async def _builds(house: House, app: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await house.client.get(f"/apps/{app}/builds")).json()
    return found


async def _stored(house: House, name: str) -> App:
    async with house.platform.db.reading() as tx:
        found = await find_app(tx, name)
    assert found is not None
    return found


async def _push(house: House, name: str, said: list[bytes]) -> Release:
    """What the git door does with a pushed commit."""

    async def say(chunk: bytes) -> None:
        said.append(chunk)

    async def source() -> AsyncIterator[bytes]:
        yield tarball({"Procfile": "web: serve"})

    platform = house.platform
    return await push(
        await _stored(house, name),
        "c0ffee" * 6 + "c0ff",
        source(),
        say,
        by=house.owner.account,
        web_url=platform.settings.web_url(name),
        blobs=platform.blobs,
        **deploying(platform),
    )
