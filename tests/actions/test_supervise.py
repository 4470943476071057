"""The loop itself: it ends when told, and survives what it depends on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from house import House, eventually
from senryu.core.dyno import DynoKind, ObservedDyno, further_on
from senryu.core.errors import Unavailable


async def test_it_ends_at_once_also_when_it_is_woken_at_that_very_moment(house: House) -> None:
    app = UUID((await house.create("ending"))["id"])
    for _ in range(30):
        await asyncio.sleep(0.01)
        house.supervisor.wake(app)
        ending = asyncio.create_task(house.supervisor.__aexit__())
        house.supervisor.wake(app)
        async with asyncio.timeout(5):
            await ending
        await house.restart()


async def test_an_engine_and_a_router_that_were_away_are_asked_again(house: House) -> None:
    await house.create("away")
    await house.deploy("away")

    async def away(*_: object) -> None:
        raise Unavailable("gone")

    async def broken(*_: object) -> None:
        raise ValueError("a bug")

    for failure in (away, broken):
        for name in ("dynos", "start", "signal"):
            setattr(house.engine, name, failure)
        house.router.apply = failure  # type: ignore[method-assign, assignment]
        await house.set("away", KEY=failure.__name__)
        house.clock.advance(30)
        await asyncio.sleep(0.05)
        for name in ("dynos", "start", "signal"):
            delattr(house.engine, name)
        del house.router.apply

        async def is_back() -> bool:
            house.clock.advance(5)
            house.supervisor.wake((await house.releases("away"))[0].app_id)
            return [dyno.env.get("KEY") for dyno in await house.serving("away")] == [failure.__name__]  # noqa: B023

        await eventually(is_back)


def test_of_a_look_and_a_change_told_meanwhile_the_one_further_on_counts() -> None:
    seen = ObservedDyno(uuid4(), uuid4(), "web.1", DynoKind.FORMATION, True)
    listening = replace(seen, is_listening=True)
    ended = replace(seen, is_running=False, exit_status=0, ended_at=datetime.now(UTC))
    assert further_on(seen, None) is seen
    assert further_on(seen, listening) is listening
    assert further_on(listening, seen) is listening
    assert further_on(listening, ended) is ended
    assert further_on(ended, listening) is ended
