"""From nothing to a live app, and what each later change does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from house import House, eventually
from senryu.core import limits
from senryu.core.route import Route, RouteMode
from senryu.engines.memory import Running


async def test_a_first_deploy_builds_releases_and_serves(house: House) -> None:
    app = await house.create("first")
    blank = await eventually(lambda: house.router.route_of("first"))
    assert blank.mode is RouteMode.BLANK
    build, output = await house.deploy("first", "web: serve\nworker: work", "abcdef0123456789")
    assert build["status"] == "succeeded", output
    assert "Released v2" in output
    assert output.endswith("http://first.localhost:8080/ deployed to Senryu\n")
    [dyno] = await house.serving("first")
    assert dyno.order.command == "serve"
    assert dyno.env["PORT"] == str(dyno.order.port)
    assert dyno.env["DYNO"] == "web.1"
    log = await house.log_of(app["id"])
    for line in (
        "app[api]: Build started by user owner@example.com",
        "app[api]: Build succeeded",
        "app[api]: Deploy abcdef01 by user owner@example.com",
        "app[api]: Release v2 created by user owner@example.com",
        "heroku[web.1]: Starting process with command `serve`",
        "heroku[web.1]: State changed from starting to up",
    ):
        assert line in log, line
    assert [entry.order.name for entry in house.engine.running.values()] == ["web.1"]


async def test_a_second_deploy_leaves_no_moment_without_a_dyno_that_serves(house: House) -> None:
    await house.create("steady")
    await house.deploy("steady", "web: old")
    await house.settle("steady")
    gaps: list[Route] = []

    async def look(route: Route) -> None:
        live = [target.dyno_id for target in route.targets if not target.is_draining]
        if route.mode is not RouteMode.SERVE or not any(house.engine.running[id].is_listening for id in live if id in house.engine.running):
            gaps.append(route)

    async def slow(dyno: Running) -> int:
        await asyncio.sleep(0.05)
        dyno.listen()
        await dyno.ended.wait()
        return dyno.exit_status or 0

    house.engine.programs["new"] = slow
    house.router.before_apply = look
    old = (await house.serving("steady"))[0]
    await house.deploy("steady", "web: new")
    await house.settle("steady")
    assert not gaps
    assert [dyno.order.command for dyno in await house.serving("steady")] == ["new"]
    assert old.signals == ["TERM"]


async def test_an_old_dyno_is_told_to_end_only_when_its_requests_have_ended(house: House) -> None:
    await house.create("busy")
    await house.deploy("busy", "web: old")
    old = (await house.serving("busy"))[0]
    house.router.active[old.order.id] = 3
    await house.deploy("busy", "web: new")
    await eventually(lambda: _draining(house, "busy"))
    assert old.signals == []
    house.router.active[old.order.id] = 0
    await house.settle("busy")
    assert old.signals == ["TERM"]


async def _draining(house: House, name: str) -> bool:
    route = await house.router.route_of(name)
    return route is not None and any(target.is_draining for target in route.targets)


async def test_a_request_that_never_ends_holds_an_old_dyno_for_30_s_at_most(house: House) -> None:
    app = await house.create("stuck")
    await house.deploy("stuck", "web: old")
    old = (await house.serving("stuck"))[0]
    old.is_stubborn = True
    house.router.active[old.order.id] = 1
    await house.deploy("stuck", "web: new")
    await eventually(lambda: _draining(house, "stuck"))
    await _pass(house, app["id"], limits.DRAIN_TIMEOUT_S + 1, lambda: _is_told(house, "stuck", old))
    assert old.signals == ["TERM"]
    await _pass(house, app["id"], limits.EXIT_GRACE_S + 1, lambda: old.signals == ["TERM", "KILL"])
    await house.settle("stuck")
    assert any(line.startswith("heroku[web.1]: Error R12 (Exit timeout)") for line in await house.log_of(app["id"]))


async def _is_told(house: House, app: str, dyno: Running) -> bool:
    return any(record.id == dyno.order.id and record.stopped_at is not None for record in await house.dynos(app))


async def _pass(house: House, app_id: str, delay_s: float, until: Callable[[], Any]) -> None:
    """Lets time pass, has the app looked at, and waits for what is to come of it."""
    house.clock.advance(delay_s)
    house.supervisor.wake(UUID(app_id))
    await eventually(until)


async def test_a_failing_build_changes_nothing(house: House) -> None:
    app = await house.create("failing")
    await house.deploy("failing", "web: good")
    build, output = await house.deploy("failing", {"Procfile": "web: bad", "fail": "No module named nothing; add it to requirements.txt."})
    assert build["status"] == "failed"
    assert build["release"] is None
    assert " !     No module named nothing; add it to requirements.txt.\n" in output
    assert [release.version for release in await house.releases("failing")] == [1, 2]
    assert [dyno.order.command for dyno in await house.serving("failing")] == ["good"]
    assert "app[api]: Build failed: No module named nothing; add it to requirements.txt." in await house.log_of(app["id"])


async def test_a_release_that_crashes_at_boot_fails_and_the_old_one_serves_on(house: House) -> None:
    await house.create("crashing")
    await house.deploy("crashing", "web: good")
    [old] = await house.serving("crashing")

    async def crash(dyno: Running) -> int:
        return 3

    house.engine.programs["bad"] = crash
    _, output = await house.deploy("crashing", "web: bad")
    assert "web.1 exited with status 3 during boot" in output
    assert "deployed to Senryu" not in output
    await house.settle("crashing")
    assert await house.serving("crashing") == [old]
    assert [release.status.value for release in await house.releases("crashing")] == ["succeeded", "succeeded", "failed"]
    listed = (await house.client.get("/apps/crashing/releases")).json()
    assert [release["version"] for release in listed if release["current"]] == [2]
    assert not listed[2]["eligible_for_rollback"]
    # The next change builds on what works, not on what failed.
    await house.set("crashing", AFTER="1")
    await house.settle("crashing")
    assert [dyno.order.command for dyno in await house.serving("crashing")] == ["good"]


async def test_a_release_that_never_binds_its_port_fails_with_r10(house: House) -> None:
    app = await house.create("deaf")
    await house.deploy("deaf", "web: good")
    [old] = await house.serving("deaf")

    async def deaf(dyno: Running) -> int:
        await dyno.ended.wait()
        return dyno.exit_status or 0

    house.engine.programs["deaf"] = deaf
    started = (await house.start_build("deaf", {"Procfile": "web: deaf"})).json()
    await eventually(lambda: [dyno for dyno in house.engine.running.values() if dyno.order.command == "deaf"])
    await _pass(house, app["id"], limits.BOOT_TIMEOUT_S + 1, lambda: _is_failed(house, "deaf"))
    output = (await house.anyone().get(started["output_stream_url"])).text
    assert "did not bind to $PORT in time" in output
    assert await house.serving("deaf") == [old]
    assert any("Error R10 (Boot timeout)" in line for line in await house.log_of(app["id"]))


async def _is_failed(house: House, name: str) -> bool:
    return (await house.releases(name))[-1].status.value == "failed"


async def test_a_first_deploy_that_crashes_stands_and_says_so(house: House) -> None:
    app = await house.create("lonely")

    async def crash(dyno: Running) -> int:
        return 1

    house.engine.programs["bad"] = crash
    build, output = await house.deploy("lonely", "web: bad")
    assert build["status"] == "succeeded"
    assert "web.1 crashed during boot (exit status 1)" in output
    # The first crash is restarted at once; the second waits ten seconds, and visitors are told.
    await eventually(lambda: _mode_is(house, "lonely", RouteMode.CRASHED))
    [dyno] = await house.dynos("lonely")
    assert (dyno.state.value, dyno.crashes) == ("crashed", 2)
    house.engine.programs.pop("bad")
    await _pass(house, app["id"], 11, lambda: _mode_is(house, "lonely", RouteMode.SERVE))


async def _mode_is(house: House, name: str, mode: RouteMode) -> bool:
    route = await house.router.route_of(name)
    return route is not None and route.mode is mode


async def test_a_config_change_is_a_release_that_dynos_are_replaced_for(house: House) -> None:
    app = await house.create("config")
    await house.deploy("config", "web: serve")
    await house.set("config", GREETING="hello", OTHER="x")
    await house.settle("config")
    [dyno] = await house.serving("config")
    assert dyno.env["GREETING"] == "hello"
    assert "hello" not in "\n".join(await house.log_of(app["id"]))
    await house.set("config", GREETING=None)
    await house.settle("config")
    [dyno] = await house.serving("config")
    assert "GREETING" not in dyno.env
    assert dyno.env["OTHER"] == "x"
    assert [release.description for release in await house.releases("config")] == [
        "Initial release",
        "Deploy",
        "Set GREETING, OTHER config vars",
        "Remove GREETING config vars",
    ]


async def test_rollback_brings_back_code_and_config(house: House) -> None:
    await house.create("back")
    await house.deploy("back", "web: one")
    await house.set("back", MODE="first")
    await house.deploy("back", "web: two\nworker: w")
    await house.set("back", MODE="second", EXTRA="1")
    answer = await house.client.post("/apps/back/releases", json={"release": (await house.releases("back"))[2].id.hex})
    assert answer.status_code == 201
    assert answer.json()["description"] == "Rollback to v3"
    assert answer.json()["version"] == 6
    await house.settle("back")
    [dyno] = await house.serving("back")
    assert dyno.order.command == "one"
    assert dyno.env["MODE"] == "first"
    assert "EXTRA" not in dyno.env
    assert (await house.client.get("/apps/back/config-vars")).json() == {"MODE": "first"}


async def test_scaling_starts_and_ends_dynos(house: House) -> None:
    await house.create("wide")
    await house.deploy("wide", "web: serve\nworker: work")
    updates = [{"type": "web", "quantity": "3"}, {"type": "worker", "quantity": "+1", "size": "standard-2x"}]
    answer = await house.client.patch("/apps/wide/formation", json={"updates": updates})
    assert {(entry["type"], entry["quantity"], entry["size"]) for entry in answer.json()} == {
        ("web", 3, "Standard-1X"),
        ("worker", 1, "Standard-2X"),
    }
    await house.settle("wide")
    assert len(await house.serving("wide")) == 3
    [worker] = [dyno for dyno in house.engine.running.values() if dyno.order.name == "worker.1"]
    assert worker.order.memory_bytes == 1024 * limits.MIB
    await house.client.patch("/apps/wide/formation", json={"updates": [{"type": "web", "quantity": "-2"}]})
    await house.settle("wide")
    assert [dyno.order.name for dyno in await house.serving("wide")] == ["web.1"]
    await house.client.patch("/apps/wide/formation/web", json={"quantity": 0})
    await eventually(lambda: _mode_is(house, "wide", RouteMode.STOPPED))


async def test_restart_replaces_dynos_without_a_gap(house: House) -> None:
    await house.create("again")
    await house.deploy("again")
    [old] = await house.serving("again")
    assert (await house.client.delete("/apps/again/dynos")).status_code == 202
    await eventually(lambda: old.order.id not in house.engine.running)
    await house.settle("again")
    [new] = await house.serving("again")
    assert new is not old
    assert new.order.name == "web.1"


async def test_a_one_off_dyno_runs_with_code_and_config_and_gives_its_status(house: House) -> None:
    app = await house.create("once")
    await house.deploy("once")
    await house.set("once", COLOR="blue")

    async def program(dyno: Running) -> int:
        dyno.write(b"color is " + dyno.env["COLOR"].encode())
        return 7

    house.engine.programs["report"] = program
    answer = await house.client.post("/apps/once/dynos", json={"command": "report", "attach": False, "env": {"X": "1"}})
    assert answer.status_code == 201
    name = answer.json()["name"]
    await eventually(lambda: _exit_code_is(house, "once", name, 7))
    log = await house.log_of(app["id"])
    assert f"app[{name}]: color is blue" in log
    assert f"heroku[{name}]: Process exited with status 7" in log
    assert f"heroku[{name}]: State changed from starting to complete" in log or f"heroku[{name}]: State changed from up to complete" in log
    assert name not in [dyno["name"] for dyno in (await house.client.get("/apps/once/dynos")).json()]


async def _exit_code_is(house: House, app: str, name: str, status: int) -> bool:
    dyno = (await house.client.get(f"/apps/{app}/dynos/{name}")).json()
    return bool(dyno["exit_code"] == status and dyno["state"] == "complete")


async def test_destroying_an_app_leaves_nothing_of_it(house: House) -> None:
    app = await house.create("gone")
    await house.deploy("gone")
    await house.client.post("/apps/gone/domains", json={"hostname": "gone.example.org"})
    assert (await house.client.delete("/apps/gone")).status_code == 200
    assert (await house.client.get("/apps/gone")).status_code == 404
    assert house.engine.running == {}
    assert await house.router.routes() == []
    assert await house.platform.blobs.keys("slugs/") == []
    assert [file.name for file in house.streams_dir.iterdir()] == []
    assert await house.log_of(app["id"]) == []
    # Its names are free again.
    assert (await house.client.post("/apps", json={"name": "gone"})).status_code == 201
    assert (await house.client.post("/apps/gone/domains", json={"hostname": "gone.example.org"})).status_code == 201


async def test_maintenance_answers_for_the_app_and_ends(house: House) -> None:
    await house.create("closed")
    await house.deploy("closed")
    await house.client.patch("/apps/closed", json={"maintenance": True})
    await eventually(lambda: _mode_is(house, "closed", RouteMode.MAINTENANCE))
    await house.client.patch("/apps/closed", json={"maintenance": False})
    await eventually(lambda: _mode_is(house, "closed", RouteMode.SERVE))
