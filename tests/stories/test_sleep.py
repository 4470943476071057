"""Apps of cheap dynos: asleep when nobody asks for them, awake when somebody does, out of hours until the month turns."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from house import House, eventually
from senryu.core.route import RouteMode
from senryu.core.usage import bounds, month_of

HALF_AN_HOUR_S = 1800.0


async def _cheap(house: House, name: str = "sleepy", size: str = "eco", procfile: str = "web: serve\nworker: work") -> dict[str, Any]:
    app = await house.create(name)
    await house.deploy(name, procfile)
    types = [line.partition(":")[0] for line in procfile.splitlines()]
    updates = [{"type": each, "size": size, "quantity": 1} for each in types]
    assert (await house.client.patch(f"/apps/{name}/formation", json={"updates": updates})).status_code == 200
    await house.settle(name)
    return app


async def _states(house: House, name: str = "sleepy") -> dict[str, str]:
    return {dyno["name"]: dyno["state"] for dyno in (await house.client.get(f"/apps/{name}/dynos")).json()}


async def _mode(house: House, name: str = "sleepy") -> RouteMode | None:
    route = await house.router.route_of(name)
    return route.mode if route else None


async def _asleep(house: House, app: dict[str, Any]) -> None:
    house.router.quiet[UUID(app["id"])] = HALF_AN_HOUR_S + 1
    house.clock.advance(HALF_AN_HOUR_S + 1)

    async def is_asleep() -> bool:
        return set((await _states(house, app["name"])).values()) == {"idle"}

    await eventually(is_asleep, "the app to sleep")
    house.router.quiet.clear()


async def test_an_app_nobody_asks_for_sleeps_with_its_workers_and_wakes_by_a_request(house: House) -> None:
    app = await _cheap(house)
    await _asleep(house, app)
    assert await _states(house) == {"web.1": "idle", "worker.1": "idle"}
    await eventually(lambda: not house.engine.running)
    assert await _mode(house) is RouteMode.IDLE
    house.router.ask_for(UUID(app["id"]))
    await house.settle("sleepy")
    assert await _states(house) == {"web.1": "up", "worker.1": "up"}
    assert await _mode(house) is RouteMode.SERVE
    lines = [line for line in await house.log_of(app["id"]) if line.startswith("heroku[web.1]")]
    last = lines[lines.index("heroku[web.1]: Idling") :]
    assert last == [
        "heroku[web.1]: Idling",
        "heroku[web.1]: State changed from up to down",
        "heroku[web.1]: Stopping all processes with SIGTERM",
        "heroku[web.1]: Process exited with status 143",
        "heroku[web.1]: Unidling",
        "heroku[web.1]: State changed from down to starting",
        "heroku[web.1]: Starting process with command `serve`",
        "heroku[web.1]: State changed from starting to up",
    ]


async def test_an_app_stays_awake_while_somebody_asks_for_it_and_one_that_never_sleeps_always(house: House) -> None:
    cheap = await _cheap(house)
    dear = await house.create("dear")
    await house.deploy("dear")
    await house.settle("dear")
    house.router.quiet = {UUID(cheap["id"]): HALF_AN_HOUR_S - 60, UUID(dear["id"]): 10 * HALF_AN_HOUR_S}
    house.clock.advance(10 * HALF_AN_HOUR_S)
    await house.settle("sleepy")
    probe = await _cheap(house, "probe")
    await _asleep(house, probe)
    assert set((await _states(house)).values()) == {"up"}
    assert set((await _states(house, "dear")).values()) == {"up"}


async def test_a_deploy_a_scale_and_a_restart_wake_an_app(house: House) -> None:
    app = await _cheap(house)
    for wake in (
        lambda: house.set("sleepy", NEW="value"),
        lambda: house.client.patch("/apps/sleepy/formation/worker", json={"quantity": 0}),
        lambda: house.client.delete("/apps/sleepy/dynos"),
        lambda: house.deploy("sleepy", "web: serve\nworker: work"),
    ):
        await _asleep(house, app)
        await wake()
        await house.settle("sleepy")
        assert (await _states(house))["web.1"] == "up"


async def test_sleep_outlives_the_platform(house: House) -> None:
    app = await _cheap(house)
    await _asleep(house, app)
    await house.restart()
    house.clock.advance(100)
    assert await _states(house) == {"web.1": "idle", "worker.1": "idle"}
    await eventually(lambda: not house.engine.running)
    house.router.ask_for(UUID(app["id"]))
    await house.settle("sleepy")


async def test_an_app_without_web_dynos_does_not_sleep(house: House) -> None:
    app = await _cheap(house, procfile="worker: work")
    house.router.quiet[UUID(app["id"])] = 10 * HALF_AN_HOUR_S
    probe = await _cheap(house, "probe")
    await _asleep(house, probe)
    assert await _states(house) == {"worker.1": "up"}


async def test_hours_used_up_are_h82_until_the_month_turns(house: House) -> None:
    operator = house.operator.client
    app = await _cheap(house, size="free")
    other = await _cheap(house, "other", size="free")
    await operator.patch("/senryu/dyno-sizes/free", json={"pool_hours": 1, "verified_pool_hours": 2, "sleeps_after_s": 0})
    first = bounds(month_of(house.clock.now()))[1]
    house.clock.advance((first - house.clock.now()).total_seconds() + 10)  # a whole month before us
    await eventually(lambda: _is_mode(house, RouteMode.SERVE))
    house.clock.advance(1000)
    quota = (await house.client.get(f"/accounts/{house.owner.account.id}/actions/get-quota")).json()
    assert quota["account_quota"] == 3600 and 4000 <= quota["quota_used"] <= 4200, quota
    assert {entry["app_uuid"] for entry in quota["apps"]} == {app["id"], other["id"]}
    await _in_time(house, RouteMode.EXHAUSTED)
    await eventually(lambda: not house.engine.running)
    assert set((await _states(house)).values()) == {"idle"}
    assert "heroku[web.1]: Idling because quota is exhausted" in await house.log_of(app["id"])
    house.router.ask_for(UUID(app["id"]))
    refused = await house.client.post("/apps/sleepy/dynos", json={"command": "serve"})
    assert refused.status_code == 422 and "hours" in refused.json()["message"]
    _, output = await house.deploy("sleepy", "web: serve\nworker: work")
    assert "rejected" not in output
    assert await _mode(house) is RouteMode.EXHAUSTED
    used = quota["quota_used"]
    verified = await operator.patch("/senryu/accounts/owner@example.com", json={"verified": True})
    assert verified.json()["verified"] is True
    await _in_time(house, RouteMode.SERVE)
    house.clock.advance(7200 - used + 100)
    await _in_time(house, RouteMode.EXHAUSTED)
    following = bounds(month_of(house.clock.now()))[1]
    house.clock.advance((following - house.clock.now()) / timedelta(seconds=1) + 10)
    await _in_time(house, RouteMode.SERVE)
    await house.settle("sleepy")
    quota = (await house.client.get(f"/accounts/{house.owner.account.id}/actions/get-quota")).json()
    assert quota["quota_used"] < 600


async def _in_time(house: House, mode: RouteMode) -> None:
    """Looks at the hours are 20 s apart: time goes on until one has seen what is true now."""
    for _ in range(20):
        for _ in range(50):
            if await _is_mode(house, mode):
                return
            await asyncio.sleep(0.01)
        house.clock.advance(21)
    raise AssertionError(f"never {mode}")


async def _is_mode(house: House, mode: RouteMode) -> bool:
    return await _mode(house) is mode
