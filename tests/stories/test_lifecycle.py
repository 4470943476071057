"""Dynos over days, in a moment: cycling, crash loops, ports bound where nobody comes, clocks that are set.

Source: Dev Center, dyno-restarts, dynos#dyno-crash-restart-policy, error-codes; decisions/0012.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest

from house import House, eventually
from senryu.core import limits
from senryu.core.clock import SteadyClock, shift
from senryu.core.dyno import Dyno, DynoState
from senryu.core.formation import lives_for_s
from senryu.engines.memory import Running

STEP_S = 600.0
DAY_S = 24 * 3600.0
CRASHES = 50
BACK_OFF_S = [10.0, 20.0, 40.0, 80.0, 160.0] + [300.0] * (CRASHES - 6)  # after the first it is started again at once


async def test_each_dyno_is_cycled_once_a_day_without_a_gap_and_not_all_at_once(house: House) -> None:
    app = await house.create("daily")
    await house.deploy("daily", "web: good\nworker: good")
    await _scale(house, "daily", web=4, worker=2)
    await house.settle("daily")
    first = {dyno.id: dyno.created_at + timedelta(seconds=lives_for_s(dyno)) for dyno in await house.dynos("daily")}
    assert all(limits.CYCLE_S <= lives_for_s(dyno) <= limits.CYCLE_S + limits.CYCLE_JITTER_S for dyno in await house.dynos("daily"))
    house.clock.advance(limits.CYCLE_S - STEP_S)
    counts = [0]
    while counts[-1] < len(first):
        house.clock.advance(STEP_S)
        house.supervisor.wake(UUID(app["id"]))
        due = {id for id, moment in first.items() if moment <= house.clock.now()}
        await eventually(partial(_are_gone, house, "daily", due), f"the end of {len(due)}")
        await house.settle("daily")
        assert len(await house.serving("daily")) == 4
        assert {dyno.id for dyno in await house.dynos("daily")} >= first.keys() - due
        counts.append(len(due))
    assert max(after - before for before, after in pairwise(counts)) < len(first)
    assert sum(line.endswith("]: Cycling") for line in await house.log_of(app["id"])) == len(first)


async def _are_gone(house: House, app: str, ids: set[UUID]) -> bool:
    return not ids & {dyno.id for dyno in await house.dynos(app)}


async def test_fifty_crashes_in_a_row_back_off_beside_a_dyno_that_serves_until_a_release_ends_it(house: House) -> None:
    app = await house.create("looping")

    async def crash(dyno: Running) -> int:
        return 0

    house.engine.programs["crash"] = crash
    await house.deploy("looping", "web: good\nworker: crash")
    await _scale(house, "looping", worker=1)
    for crashes, back_off_s in enumerate(BACK_OFF_S, 2):
        crashed = await eventually(partial(_crashed, house, "looping", crashes), f"crash {crashes}")
        house.clock.advance(back_off_s - 1)
        house.supervisor.wake(UUID(app["id"]))
        assert [dyno.id for dyno in await house.dynos("looping") if dyno.type == "worker"] == [crashed.id]
        house.clock.advance(1.1)
        house.supervisor.wake(UUID(app["id"]))
    assert len(await house.serving("looping")) == 1
    await house.set("looping", A="b")
    await eventually(partial(_crashed, house, "looping", 2), "crashes counted anew")


async def test_a_web_dyno_that_binds_its_loopback_only_is_told_what_to_do(house: House) -> None:
    log = await _log_from_r10_on(house, lambda dyno: dyno.listen(locally=True))
    assert log[1].startswith("heroku[web.1]: The process listens on $PORT on its loopback only")
    assert log[2] == "heroku[web.1]: Stopping process with SIGKILL"


async def test_a_web_dyno_that_binds_another_port_is_told_which(house: House) -> None:
    log = await _log_from_r10_on(house, lambda dyno: dyno.listen_elsewhere(4567))
    assert log[1].startswith("heroku[web.1]: The process listens on port 4567 instead of $PORT")


async def _log_from_r10_on(house: House, bind: Callable[[Running], None]) -> list[str]:
    """What is told of a web process that binds something that no visitor can reach."""
    app = await house.create("stray")
    has_bound = asyncio.Event()

    async def stray(dyno: Running) -> int:
        bind(dyno)
        has_bound.set()
        await dyno.ended.wait()
        return dyno.exit_status or 0

    house.engine.programs["stray"] = stray
    await house.start_build("stray", {"Procfile": "web: stray"})
    await eventually(has_bound.is_set, "what it binds")
    house.clock.advance(limits.BOOT_TIMEOUT_S + 1)
    house.supervisor.wake(UUID(app["id"]))
    await eventually(lambda: _says(house, app["id"], "Stopping process with SIGKILL"))
    log = await house.log_of(app["id"])
    return log[next(place for place, line in enumerate(log) if "Error R10 (Boot timeout)" in line) :]


async def _scale(house: House, app: str, **quantities: int) -> None:
    updates = [{"type": kind, "quantity": quantity} for kind, quantity in quantities.items()]
    answer = await house.client.patch(f"/apps/{app}/formation", json={"updates": updates})
    assert answer.status_code == 200, answer.text


async def _crashed(house: House, app: str, crashes: int) -> Dyno | None:
    """The worker after so many crashes in a row."""
    dynos = [dyno for dyno in await house.dynos(app) if dyno.type == "worker"]
    return next((dyno for dyno in dynos if dyno.state is DynoState.CRASHED and dyno.crashes == crashes), None)


async def _says(house: House, app_id: str, text: str) -> bool:
    return any(text in line for line in await house.log_of(app_id))


@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S, 20 * 365 * DAY_S])
async def test_setting_the_clock_cycles_and_kills_nothing_and_back_off_goes_on(house: House, by_s: float) -> None:
    app = await house.create("timeless")
    await house.deploy("timeless", "web: good\nworker: good\ndeaf: mute")
    await _scale(house, "timeless", web=2, worker=1)
    await house.settle("timeless")
    before = {dyno.id for dyno in await house.dynos("timeless")}
    lived_s = await _age_s(house, "timeless")
    house.clock.set_wrong(by_s)
    await _looked_at(house, app)
    await house.settle("timeless")
    assert {dyno.id for dyno in await house.dynos("timeless")} == before
    assert abs(await _age_s(house, "timeless") - lived_s) < 60
    assert not any("Cycling" in line or "SIGKILL" in line for line in await house.log_of(app["id"]))
    house.clock.advance(limits.CYCLE_S + limits.CYCLE_JITTER_S)  # they live as long as ever
    house.supervisor.wake(UUID(app["id"]))
    await eventually(partial(_are_gone, house, "timeless", before), "the end of a day")


@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S])
async def test_a_crash_loop_backs_off_by_the_time_that_really_passed(house: House, by_s: float) -> None:
    app = await house.create("jumpy")

    async def crash(dyno: Running) -> int:
        return 1

    house.engine.programs["crash"] = crash
    await house.deploy("jumpy", "web: good\nworker: crash")
    await _scale(house, "jumpy", worker=1)
    ended_at = (await eventually(partial(_crashed, house, "jumpy", 2), "crash 2")).ended_at
    house.clock.set_wrong(by_s)
    await _looked_at(house, app)
    house.clock.advance(BACK_OFF_S[0] + 1)
    house.supervisor.wake(UUID(app["id"]))
    again = await eventually(partial(_crashed, house, "jumpy", 3), "crash 3")
    waited_s = (again.created_at - ended_at).total_seconds() - by_s
    assert BACK_OFF_S[0] <= waited_s < BACK_OFF_S[1]


async def test_a_clock_set_back_while_the_machine_was_off_holds_nothing_back(house: House) -> None:
    app = await house.create("flat")

    async def crash(dyno: Running) -> int:
        return 1

    house.engine.programs["crash"] = crash
    await house.deploy("flat", "web: good\nworker: crash")
    await _scale(house, "flat", worker=1)
    await eventually(partial(_crashed, house, "flat", 2), "crash 2")
    house.clock.boot_id = "boot-2"
    house.clock.set_wrong(-50 * 365 * DAY_S)  # a machine without a battery begins in 1970
    await _looked_at(house, app)
    house.clock.set_wrong(0)  # and is told the time later
    await _looked_at(house, app)
    house.clock.advance(BACK_OFF_S[0] + 1)
    house.supervisor.wake(UUID(app["id"]))
    await eventually(partial(_crashed, house, "flat", 3), "crash 3")


async def _looked_at(house: House, app: Mapping[str, str]) -> None:
    """Until supervise has written what it knows by the clock of now."""
    stamp = SteadyClock(house.clock).stamp
    house.supervisor.wake(UUID(app["id"]))

    async def is_seen() -> bool:
        dynos = await house.dynos(app["name"])
        return all(shift(dyno.clock, dyno.created_at, stamp, house.clock.now()) is None for dyno in dynos)

    await eventually(is_seen, "a look at the new time")


async def _age_s(house: House, app: str) -> float:
    return max((house.clock.now() - dyno.created_at).total_seconds() for dyno in await house.dynos(app))
