"""What a crash cut off is put right at the next start, or once the database takes changes again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from house import House, eventually
from senryu.core.errors import Unavailable
from senryu.core.usage import bounds, month_of


@contextmanager
def _full_disk(house: House) -> Iterator[list[str]]:
    """The database takes no changes; gives the refusals."""
    refused: list[str] = []

    @asynccontextmanager
    async def full() -> AsyncIterator[Any]:
        refused.append("full")
        raise Unavailable("The platform's disk is full.")
        yield

    house.db.transaction = full  # type: ignore[method-assign]
    try:
        yield refused
    finally:
        del house.db.transaction


async def _pending(house: House, app: str) -> str:
    """A build that waits at the gate; gives its id."""
    orders = len(house.builder.orders)
    build = (await house.start_build(app, {"Procfile": "web: x"})).json()
    await eventually(lambda: len(house.builder.orders) > orders)
    return str(build["id"])


async def _status(house: House, app: str, build: str) -> str:
    return str((await house.client.get(f"/apps/{app}/builds/{build}")).json()["status"])


async def test_a_platform_starts_on_a_full_disk_and_fails_the_builds_of_before_once_there_is_room(house: House) -> None:
    for app in ("cut", "later"):
        await house.create(app)
    house.builder.gate = gate = asyncio.Event()
    cut = await _pending(house, "cut")
    with _full_disk(house) as refused:  # the end on it cannot be written either
        await house.restart()
        seen = len(refused)
        assert (await house.client.get("/apps/cut")).status_code == 200
        house.clock.advance(60)
        await eventually(lambda: len(refused) > seen, "another attempt")
        assert await _status(house, "cut", cut) == "pending"
    later = await _pending(house, "later")

    async def is_failed() -> bool:
        house.clock.advance(60)
        return await _status(house, "cut", cut) == "failed"

    await eventually(is_failed, "the end of the build of before")
    assert await _status(house, "later", later) == "pending"
    gate.set()
    await eventually(lambda: _has(house, "later", later, "succeeded"))
    assert (await house.deploy("cut"))[0]["status"] == "succeeded"


async def _has(house: House, app: str, build: str, status: str) -> bool:
    return await _status(house, app, build) == status


async def test_the_time_a_machine_is_off_is_nobodys_also_when_it_starts_on_a_full_disk(house: House) -> None:
    house.clock.advance((bounds(month_of(house.clock.now()))[1] - house.clock.now()) / timedelta(seconds=1) + 1)
    await house.create("shop")
    await house.deploy("shop")
    await house.settle("shop")
    await house.restart()
    house.clock.advance(3600)
    await house.restart()
    [web] = house.engine.running.values()
    await house.supervisor.__aexit__()
    house.clock.advance(86400)
    house.clock.boot_id = "boot-2"
    web.end(137)  # as the agent finds it
    with _full_disk(house) as refused:
        await house.restart()
        await eventually(lambda: len(refused) > 2, "attempts to write")
    await house.settle("shop")  # what supervise notes comes before the platform's own look at usage
    house.clock.advance(1000)
    lines = (await house.client.get("/senryu/statements/now")).json()["lines"]
    assert [(line["name"], 4600 <= line["seconds"] < 4800) for line in lines] == [("web.1", True)], lines
