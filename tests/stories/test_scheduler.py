"""The scheduler from the first job to the last: due, late, missed, overlapping, cut off at every step, with a clock that jumps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from house import House, eventually
from senryu.actions.run_jobs import run_due_jobs
from senryu.api.parts import releasing
from senryu.core import limits
from senryu.core.dyno import Dyno, DynoKind
from senryu.core.scheduled_job import Every, Schedule
from senryu.providers.scheduler import SERVICE, SchedulerSupplier
from senryu.store.scheduled_jobs import list_jobs

from .mortal import Killed, Mortal


@pytest.fixture
def scheduler(house: House) -> Iterator[None]:
    house.platform = replace(house.platform, suppliers={SERVICE.name: SchedulerSupplier()})
    house.api.state.platform = house.platform
    yield


pytestmark = pytest.mark.usefixtures("scheduler")


async def _app(house: House, name: str = "timely", *, deploys: bool = True) -> dict[str, Any]:
    app = await house.create(name)
    if deploys:
        await house.deploy(name)
    made = await house.client.post(f"/apps/{name}/addons", json={"plan": "scheduler"})
    assert (made.status_code, made.json()["config_vars"], made.json()["plan"]["name"]) == (201, [], "scheduler:standard"), made.text
    assert "senryu scheduler:add" in made.json()["provision_message"]
    return app


async def _add(house: House, app: str = "timely", command: str = "tidy up", **fields: Any) -> dict[str, Any]:
    answer = await house.client.post(f"/apps/{app}/scheduler/jobs", json={"command": command, "every": "10 minutes", **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def _look(house: House) -> float:
    return await run_due_jobs(**releasing(house.platform))


async def _runs(house: House, app: str = "timely") -> list[Dyno]:
    return [dyno for dyno in await house.dynos(app) if dyno.kind is DynoKind.ONE_OFF]


async def _started(house: House, count: int, app: str = "timely") -> list[Dyno]:
    """The scheduled runs that the engine knows, once it knows `count`."""

    async def known() -> list[Dyno]:
        found = [dyno for dyno in await _runs(house, app) if dyno.id in house.engine.running]
        return found if len(found) == count else []

    found: list[Dyno] = await eventually(known, f"{count} runs")
    return found


def _until(house: House, schedule: Schedule, late_s: float = 1.0) -> None:
    """Lets the time come at which a schedule is due next, and a little more."""
    now = house.clock.now()
    house.clock.advance((schedule.next_due(now) - now).total_seconds() + late_s)


TEN = Schedule(Every.TEN_MINUTES)


async def test_a_job_runs_as_a_one_off_dyno_when_it_is_due_and_its_output_is_in_the_log(house: House) -> None:
    app = await _app(house)
    job = await _add(house, size="standard-2x")
    before = await house.client.get("/apps/timely/scheduler/jobs")
    assert before.json() == [job] and job["size"] == "Standard-2X" and job["last_outcome"] is None
    assert await _look(house) <= limits.SCHEDULER_LOOK_S and await _runs(house) == []
    _until(house, TEN)
    await _look(house)
    [dyno] = await _started(house, 1)
    running = house.engine.running[dyno.id]
    assert (dyno.type, dyno.command, dyno.size, running.order.command) == ("scheduler", "tidy up", "Standard-2X", "tidy up")
    assert dyno.number >= 1000 and running.order.env["DYNO"] == dyno.name == f"scheduler.{dyno.number}"
    shown = [each["name"] for each in (await house.client.get("/apps/timely/dynos")).json()]
    assert dyno.name in shown
    running.write(b"tidied")
    running.end(0)

    async def log() -> list[str]:
        lines = await house.log_of(app["id"])
        return lines if f"heroku[{dyno.name}]: State changed from up to complete" in lines else []

    lines = await eventually(log)
    assert f"app[{dyno.name}]: tidied" in lines
    assert "app[api]: Starting process with command `tidy up` by user scheduler@addons.heroku.com" in lines
    [after] = (await house.client.get("/apps/timely/scheduler/jobs")).json()
    assert after["last_outcome"] == f"run by {dyno.name}" and after["last_due_at"] == job["next_due_at"]
    assert after["next_due_at"] > job["next_due_at"]


async def test_each_due_time_is_run_once_however_often_is_looked(house: House) -> None:
    await _app(house)
    await _add(house, command="one")
    for count in range(1, 4):
        _until(house, TEN)
        for _ in range(3):
            await _look(house)
        running = [house.engine.running[dyno.id] for dyno in await _started(house, 1)]
        running[0].end(0)
        await eventually(lambda: _none_live(house))
        assert len(await _runs(house)) <= count
    outcomes = (await house.client.get("/apps/timely/scheduler/jobs")).json()
    assert len(outcomes) == 1


async def _none_live(house: House) -> bool:
    return all(dyno.ended_at is not None for dyno in await _runs(house))


async def test_a_run_that_is_a_little_late_is_made_and_older_ones_are_told_as_missed(house: House) -> None:
    app = await _app(house)
    await _add(house, command="late")
    _until(house, TEN, late_s=3 * 600 + 120)
    await _look(house)
    assert len(await _started(house, 1)) == 1
    lines = await house.log_of(app["id"])
    assert "heroku[scheduler]: Skipped `late`: 3 runs missed while the platform was away" in lines
    assert any(line.startswith("heroku[scheduler]: Running `late` late, due at ") for line in lines)


async def test_a_run_that_is_far_too_late_is_skipped_and_told(house: House) -> None:
    app = await _app(house)
    now = house.clock.now()
    at = (now + timedelta(minutes=2)).astimezone(UTC)
    await _add(house, command="nightly", every="day", at=f"{at:%H:%M}")
    house.clock.advance(6 * 3600)
    await _look(house)
    await _look(house)
    assert await _runs(house) == []
    [line] = [line for line in await house.log_of(app["id"]) if "Skipped `nightly`" in line]
    assert f"1 run missed while the platform was away, the last due at {at:%Y-%m-%d %H:%M} UTC" in line
    [job] = (await house.client.get("/apps/timely/scheduler/jobs")).json()
    assert job["last_outcome"].startswith("skipped: 1 run missed")
    assert datetime.fromisoformat(job["next_due_at"]) > house.clock.now()


async def test_two_runs_of_a_job_never_overlap_and_the_older_one_is_stopped(house: House) -> None:
    app = await _app(house)
    await _add(house, command="slow")
    _until(house, TEN)
    await _look(house)
    [slow] = await _started(house, 1)
    stubborn = house.engine.running[slow.id]
    stubborn.is_stubborn = True
    _until(house, TEN)
    for _ in range(3):
        await _look(house)
    assert [dyno.id for dyno in await _runs(house)] == [slow.id]
    [told] = [line for line in await house.log_of(app["id"]) if "still runs it" in line]
    assert f"while {slow.name} still runs it; it is stopped first" in told

    async def is_told() -> bool:
        return any(dyno.stopped_at is not None for dyno in await _runs(house))

    await eventually(is_told)
    assert "TERM" in stubborn.signals
    house.clock.advance(limits.EXIT_GRACE_S + 1)
    house.supervisor.wake(UUID(app["id"]))  # it may have been about to wait from then on
    await eventually(lambda: _none_live(house))
    await _look(house)

    async def is_next() -> bool:
        live = [dyno for dyno in await _runs(house) if dyno.ended_at is None]
        return len(live) == 1 and live[0].id != slow.id and live[0].id in house.engine.running

    await eventually(is_next)


async def test_a_run_lasts_until_its_job_is_due_again_at_most(house: House) -> None:
    await _app(house)
    await _add(house, command="endless")
    _until(house, TEN)
    await _look(house)
    [dyno] = await _started(house, 1)
    assert dyno.expires_at is not None and timedelta() < dyno.expires_at - house.clock.now() <= TEN.every.interval


async def test_a_clock_that_jumps_ahead_and_back_makes_no_flood_and_no_end(house: House) -> None:
    app = await _app(house)
    for number in range(3):
        await _add(house, command=f"job {number}")
    house.clock.set_wrong(30 * 86400)
    for _ in range(4):
        await _look(house)
    after_jump = len(await _runs(house))
    assert after_jump in (0, 3), "each is late by the same time"
    house.clock.set_wrong(0)
    await _look(house)
    assert len(await _runs(house)) == after_jump
    assert any("clock went back" in line for line in await house.log_of(app["id"]))
    jobs = (await house.client.get("/apps/timely/scheduler/jobs")).json()
    assert all(datetime.fromisoformat(job["next_due_at"]) - house.clock.now() <= TEN.every.interval for job in jobs)


async def test_nothing_is_run_without_code_and_that_is_told_once(house: House) -> None:
    app = await _app(house, deploys=False)
    await _add(house, command="early")
    _until(house, TEN)
    await _look(house)
    await _look(house)
    [line] = [line for line in await house.log_of(app["id"]) if "`early`" in line and "[scheduler]" in line]
    assert ", waits: Nothing is deployed to timely yet" in line
    house.clock.advance(301)
    await _look(house)
    await _look(house)
    [line] = [line for line in await house.log_of(app["id"]) if "Skipped `early`" in line]
    assert "Nothing is deployed" in line


async def test_a_run_waits_a_while_for_its_place_in_a_full_app(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await _app(house)
    monkeypatch.setattr(limits, "ONE_OFF_DYNOS_PER_APP_MAX", 1)
    await _add(house, command="first")
    await _add(house, command="second")
    _until(house, TEN)
    for _ in range(3):
        assert await _look(house) < limits.SCHEDULER_LOOK_S
    [first] = await _started(house, 1)
    [told] = [line for line in await house.log_of(app["id"]) if ", waits: " in line]
    assert "one-off dynos" in told
    house.engine.running[first.id].end(0)
    await eventually(lambda: _none_live(house))
    await _look(house)
    [second] = await _started(house, 1)
    assert {first.command, second.command} == {"first", "second"}


async def test_jobs_go_with_their_scheduler_and_nothing_of_it_runs_any_more(house: House) -> None:
    app = await _app(house)
    await _add(house)
    [add_on] = (await house.client.get("/apps/timely/addons")).json()
    gone = await house.client.request("DELETE", f"/apps/timely/addons/{add_on['id']}", json={"force": False})
    assert gone.status_code == 200, gone.text
    assert (await house.client.get("/apps/timely/scheduler/jobs")).json() == []
    _until(house, TEN)
    await _look(house)
    assert await _runs(house) == []
    refused = await house.client.post("/apps/timely/scheduler/jobs", json={"command": "x", "every": "10 minutes"})
    assert refused.status_code == 404 and "addons:create scheduler" in refused.json()["message"]
    again = await house.client.post("/apps/timely/addons", json={"plan": "senryu-scheduler"})
    assert again.status_code == 201
    assert (await house.client.get("/apps/timely/scheduler/jobs")).json() == []
    await _add(house)
    assert (await house.client.delete("/apps/timely")).status_code == 200
    async with house.db.reading() as tx:
        assert await list_jobs(tx, UUID(app["id"])) == []


async def test_an_app_has_one_scheduler_which_is_not_shared(house: House) -> None:
    await _app(house)
    second = await house.client.post("/apps/timely/addons", json={"plan": "scheduler:standard"})
    assert second.status_code == 422 and "already" in second.json()["message"]
    await house.create("other")
    [add_on] = (await house.client.get("/apps/timely/addons")).json()
    shared = await house.client.post("/addon-attachments", json={"addon": add_on["name"], "app": "other"})
    assert shared.status_code == 422
    [service] = (await house.client.get("/addon-services")).json()
    assert (service["name"], service["supports_multiple_installations"], service["supports_sharing"]) == ("scheduler", False, False)


async def test_jobs_are_edited_and_a_new_time_counts_from_now(house: House) -> None:
    await _app(house)
    job = await _add(house, command="a")
    path = f"/apps/timely/scheduler/jobs/{job['id']}"
    daily = (await house.client.patch(path, json={"every": "day", "at": "03:30"})).json()
    assert (daily["every"], daily["at"], daily["next_due_at"][11:]) == ("day", "03:30", "03:30:00Z")
    moved = (await house.client.patch(path, json={"at": "04:00", "command": "b", "size": "basic"})).json()
    assert (moved["at"], moved["command"], moved["size"]) == ("04:00", "b", "Basic")
    kept = (await house.client.patch(path, json={"command": "c"})).json()
    assert (kept["every"], kept["at"], kept["next_due_at"]) == ("day", "04:00", moved["next_due_at"])
    hourly = (await house.client.patch(path, json={"every": "hour"})).json()
    assert (hourly["at"], hourly["next_due_at"][14:]) == (":00", "00:00Z")
    assert (await house.client.get(path)).json()["command"] == "c"
    for body in ({"every": "week"}, {"at": "25:00"}, {"command": " "}, {"command": "a\nb"}, {"size": "huge"}, {"command": "x" * 5000}):
        assert (await house.client.patch(path, json=body)).status_code == 422, body
    assert (await house.client.delete(path)).status_code == 200
    assert (await house.client.get(path)).status_code == 404


async def test_an_app_has_a_hundred_jobs_at_most(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await _app(house)
    monkeypatch.setattr("senryu.actions.schedule.SCHEDULED_JOBS_PER_APP_MAX", 2)
    await _add(house)
    await _add(house)
    refused = await house.client.post("/apps/timely/scheduler/jobs", json={"command": "x", "every": "hour"})
    assert refused.status_code == 422 and "remove one" in refused.json()["message"]


class MortalAt(Mortal):
    """Dies when it comes to a point for the first time."""

    def __init__(self, house: House, point: str) -> None:
        super().__init__(house, 1_000_000)
        self._fatal = point

    def _step(self, point: str) -> None:
        if point == self._fatal:
            self._at = 0
        super()._step(point)


_POINTS = ("before commit", "after commit", "before engine.dynos", "after engine.dynos", "before engine.start", "after engine.start")


@pytest.mark.parametrize("point", _POINTS)
async def test_a_platform_killed_at_a_step_of_a_claim_or_start_runs_the_job_once(house: House, point: str) -> None:
    await _app(house)
    await house.settle("timely")
    await _add(house, command="precious")
    _until(house, TEN)
    mortal = MortalAt(house, point)
    with suppress(Killed):
        await _look(house)
    await eventually(lambda: mortal.is_dead, point)
    mortal.bury()
    await house.restart()
    await _look(house)
    [dyno] = await _started(house, 1)
    running = house.engine.running[dyno.id]
    assert running.order.command == "precious"
    running.end(0)
    await eventually(lambda: _none_live(house))
    await _look(house)
    assert [each.id for each in await _runs(house)] == [dyno.id]


async def test_a_run_claimed_long_before_the_platform_came_back_is_not_started_and_that_is_told(house: House) -> None:
    app = await _app(house)
    await _add(house, command="stale")
    _until(house, TEN)
    await house.supervisor.__aexit__()  # it claims, but starts nothing any more
    await _look(house)
    house.clock.advance(3 * 3600)
    await house.restart()

    async def is_told() -> bool:
        return any("never started: the platform was away" in line for line in await house.log_of(app["id"]))

    await eventually(is_told)
    assert house.engine.running.keys() == {dyno.order.id for dyno in await house.serving("timely")}


async def test_a_run_that_the_engine_refuses_is_told_and_over(house: House) -> None:
    app = await _app(house)
    await _add(house, command="refused")
    _until(house, TEN)
    house.engine.slugs = set()
    await _look(house)

    async def is_over() -> bool:
        runs = await _runs(house)
        return len(runs) == 1 and runs[0].ended_at is not None

    await eventually(is_over)
    assert any("is missing on this machine" in line for line in await house.log_of(app["id"]))
