"""What ran is metered once, whatever dies when, and comes to a statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from house import House, eventually
from senryu.core.usage import bounds, month_of
from senryu.store.usage import fold_usage

DAY_S = 86400.0


async def _statement(house: House, month: str = "now") -> dict[str, Any]:
    return dict((await house.client.get(f"/senryu/statements/{month}")).json())


async def _lines(house: House, month: str = "now") -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["name"], line["size"]): line for line in (await _statement(house, month))["lines"]}


async def _to_the_month_start(house: House) -> None:
    now = house.clock.now()
    house.clock.advance((bounds(month_of(now))[1] - now) / timedelta(seconds=1) + 1)


async def test_a_month_is_charged_by_the_second_by_app_dyno_size_and_add_on(house: House) -> None:
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop", "web: serve\nworker: work")
    await house.settle("shop")
    first, following = bounds(month_of(house.clock.now()))
    house.clock.advance(3600)
    line = (await _lines(house))["web.1", "Standard-1X"]
    assert line["app"]["name"] == "shop" and 3600 <= line["seconds"] <= 3700
    assert line["cents"] == round(2500 * line["seconds"] / (following - first).total_seconds())
    await house.client.patch("/apps/shop/formation/web", json={"size": "standard-2x"})
    await eventually(lambda: _runs(house, "Standard-2X"))
    await house.settle("shop")
    house.clock.advance(7200)
    sizes = {size: line["seconds"] for (_, size), line in (await _lines(house)).items()}
    assert 3600 <= sizes["Standard-1X"] <= 3700 and 7200 <= sizes["Standard-2X"] <= 7300
    await house.client.delete("/apps/shop")
    house.clock.advance(3600)
    assert (await _lines(house))["web.1", "Standard-2X"]["seconds"] <= 7300
    [invoice, *_] = (await house.client.get("/account/invoices")).json()
    assert invoice["total"] == (await _statement(house))["total"] and invoice["state"] == 0


async def _runs(house: House, size: str) -> bool:
    return any(name == "web.1" and of == size for name, of in await _lines(house))


async def test_a_price_change_counts_from_that_moment(house: House) -> None:
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop")
    await house.settle("shop")
    house.clock.advance(3600)
    await house.operator.client.patch("/senryu/dyno-sizes/standard-1x", json={"price_cents": 5000})
    house.clock.advance(3600)
    lines = (await _statement(house))["lines"]
    assert [(line["price_cents"], 3600 <= line["seconds"] < 3700) for line in lines] == [(2500, True), (5000, True)]


async def test_kills_of_the_platform_neither_lose_nor_double_a_second(house: House) -> None:
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop")
    await house.settle("shop")
    began = house.clock.now()
    for _ in range(5):
        await house.restart()
        house.clock.advance(100)
        await house.client.delete("/apps/shop/dynos")
        await house.restart()
        await house.settle("shop")
    [web] = house.engine.running.values()
    await house.supervisor.__aexit__()  # it ends while the platform is away
    house.clock.advance(50)
    web.end(1)
    house.clock.advance(500)
    await house.restart()
    await house.settle("shop")
    ran = (house.clock.now() - began).total_seconds()
    line = (await _lines(house))["web.1", "Standard-1X"]
    assert ran - 510 <= line["seconds"] <= ran - 490, (ran, line)


async def test_what_is_folded_counts_as_before(house: House) -> None:
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop")
    for _ in range(3):
        await house.settle("shop")
        house.clock.advance(DAY_S)
        await house.client.delete("/apps/shop/dynos")
    await house.settle("shop")
    before = await _lines(house)
    async with house.db.transaction() as tx:
        assert await fold_usage(tx, house.clock.now()) >= 3
        assert await fold_usage(tx, house.clock.now()) == 0
    after = await _lines(house)
    assert after.keys() == before.keys()
    key = ("web.1", "Standard-1X")
    assert before[key]["seconds"] <= after[key]["seconds"] <= before[key]["seconds"] + 10
    month = month_of(house.clock.now())
    await _to_the_month_start(house)
    whole = (await _statement(house, month))["state"]
    assert whole == 1 and (await _lines(house, month))[key]["seconds"] > 3 * DAY_S
    months = [invoice["period_start"][:7] for invoice in (await house.client.get("/account/invoices")).json()]
    assert months == [month, month_of(house.clock.now())]


async def test_who_owns_an_app_pays_for_what_runs_from_then_on(house: House) -> None:
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop")
    await house.settle("shop")
    house.clock.advance(3600)
    heir = await house.person("heir@example.com")
    transfer = await house.client.post("/account/app-transfers", json={"app": "shop", "recipient": "heir@example.com"})
    accepted = await heir.client.patch(f"/account/app-transfers/{transfer.json()['id']}", json={"state": "accepted"})
    assert accepted.status_code == 200
    house.clock.advance(7200)
    assert 3600 <= (await _lines(house))["web.1", "Standard-1X"]["seconds"] < 3700
    theirs = (await heir.client.get("/senryu/statements/now")).json()["lines"]
    assert [7200 <= line["seconds"] < 7300 for line in theirs] == [True]
    assert (await house.client.get("/senryu/statements/2026-13")).status_code == 422
    assert (await house.client.get("/senryu/statements/now", params={"team": "no-team"})).status_code == 404
