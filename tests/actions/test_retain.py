"""What is kept for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

from house import House
from senryu.actions.retain import forget_lost_logs, retain_once
from senryu.core.limits import RELEASES_KEPT_S
from senryu.core.log_line import LogLine


async def _retain(house: House, suspects: set[str]) -> set[str]:
    platform = house.platform
    return await retain_once(
        suspects, db=platform.db, vault=platform.vault, blobs=platform.blobs, streams=platform.streams, clock=platform.clock
    )


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_old_releases_expire_and_their_slugs_go_but_not_the_current_one(house: House) -> None:
    await house.create("old")
    for number in range(23):
        await house.deploy("old", f"web: n{number}")
    await house.settle("old")
    house.clock.advance(RELEASES_KEPT_S + 60)
    suspects = await _retain(house, set())
    statuses = [release.status.value for release in await house.releases("old")]
    assert statuses == ["succeeded"] + ["expired"] * 3 + ["succeeded"] * 20
    refused = await house.client.post("/apps/old/releases", json={"release": "v2"})
    assert (refused.status_code, "expired" in refused.json()["message"]) == (422, True)
    assert (await house.client.post("/apps/old/releases", json={"release": "v5"})).status_code == 201
    await _retain(house, suspects)
    assert len(await house.platform.blobs.keys("slugs/")) == 20
    await house.settle("old")
    assert [dyno.order.command for dyno in await house.serving("old")] == ["n3"]


async def test_an_object_without_a_row_goes_at_the_second_look(house: House) -> None:
    key = "slugs/" + "a" * 64 + ".tgz"
    await house.platform.blobs.put(key, _chunks(b"x"), max_bytes=10)
    suspects = await _retain(house, set())
    assert await house.platform.blobs.keys("slugs/") == [key]
    await _retain(house, suspects)
    assert await house.platform.blobs.keys("slugs/") == []


async def test_an_upload_nobody_built_goes_after_a_day(house: House) -> None:
    blob = (await house.client.post("/sources")).json()["source_blob"]
    await house.anyone().put(blob["put_url"], content=b"x")
    await _retain(house, await _retain(house, set()))
    assert len(await house.platform.blobs.keys("sources/")) == 1
    house.clock.advance(25 * 3600)
    await _retain(house, await _retain(house, set()))
    assert await house.platform.blobs.keys("sources/") == []


async def test_a_log_that_a_late_line_began_anew_after_its_apps_end_is_forgotten(house: House) -> None:
    app, lost = await house.create("there"), uuid4()
    await house.logs.write(lost, [LogLine(house.clock.now(), "heroku", "router", "late")])
    await forget_lost_logs(house.db, house.logs)
    assert await house.logs.apps() == {UUID(app["id"])}
