"""What ran is metered once, whatever dies when, and comes to a statement."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

import partner_server
from house import House, eventually
from senryu.actions.meter import keep_prices_once
from senryu.core.dyno import DynoOrder
from senryu.core.partner import Manifest
from senryu.core.usage import Usage, bounds, month_of
from senryu.engines.memory import Running
from senryu.platform import Partners
from senryu.providers.postgres import SERVICE
from senryu.store.rows import noun
from senryu.store.usage import beat, fold_usage
from senryu.store.usage_tables import usage
from stand_ins import ScriptedSupplier

from .mortal import Killed, Mortal
from .test_followers import ScriptedFollowing

DEATHS = (1, 4, 9, 15, 22, 35, 60)

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


async def _ran_for_an_hour(house: House) -> None:
    """An app whose dyno the machine was last seen to run now."""
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop")
    await house.settle("shop")
    house.clock.advance(3600)
    async with house.db.transaction() as tx:
        await beat(tx, house.clock.boot(), house.clock.now())


async def test_the_time_a_machine_is_off_is_nobodys(house: House) -> None:
    await _ran_for_an_hour(house)
    [web] = house.engine.running.values()
    await house.supervisor.__aexit__()
    house.clock.advance(DAY_S)
    house.clock.boot_id = "boot-2"
    web.end(137)  # as the agent finds it
    await house.restart()
    await house.settle("shop")
    assert 3600 <= (await _lines(house))["web.1", "Standard-1X"]["seconds"] < 3700


async def test_a_dyno_that_boots_when_the_power_goes_is_not_charged_for_the_time_off(house: House) -> None:
    await _to_the_month_start(house)
    await house.create("shop")
    await house.deploy("shop")
    await house.settle("shop")
    house.engine.programs["serve"] = _boots_for_ever
    await house.client.patch("/apps/shop/formation/web", json={"quantity": 2})
    await eventually(lambda: len(house.engine.running) == 2, "web.2")
    await house.supervisor.__aexit__()
    house.clock.advance(DAY_S)
    house.clock.boot_id = "boot-2"
    for dyno in list(house.engine.running.values()):
        dyno.end(137)  # as the agent finds them
    del house.engine.programs["serve"]
    await house.restart()
    await house.settle("shop")
    assert {name: line["seconds"] < 100 for (name, _), line in (await _lines(house)).items()} == {"web.1": True, "web.2": True}


async def _boots_for_ever(dyno: Running) -> int:
    await dyno.ended.wait()
    return 137


@pytest.mark.parametrize("at", DEATHS)
async def test_whenever_the_platform_dies_each_run_of_a_dyno_is_metered_once_as_the_engine_saw_it(house: House, at: int) -> None:
    ever: dict[UUID, Running] = {}
    real = house.engine.start

    async def noted(order: DynoOrder) -> None:
        await real(order)
        ever.setdefault(order.id, house.engine.running[order.id])

    house.engine.start = noted  # type: ignore[method-assign]
    house.engine.programs["once"] = _once
    app = await house.create("mortal")
    await house.deploy("mortal", "web: serve\nworker: work")
    await house.settle("mortal")
    mortal = Mortal(house, at)
    life = asyncio.create_task(_live(house))
    await eventually(lambda: mortal.is_dead or life.done(), f"death at step {at}")
    mortal.bury()
    house.engine.start = noted  # type: ignore[method-assign]
    await house.restart()
    life.cancel()
    await asyncio.wait({life})
    await house.settle("mortal")
    await house.client.patch("/apps/mortal/formation/worker", json={"quantity": 0})
    await house.client.delete("/apps/mortal/dynos")

    async def is_metered() -> bool:
        async with house.db.reading() as tx:
            uses = [noun(Usage, row) for row in (await tx.execute(select(usage))).mappings()]
        metered = sorted((use.id, use.started_at, use.ended_at) for use in uses if use.app_id == UUID(app["id"]) and use.ended_at)
        ended = sorted((id, run.started_at, run.ended_at) for id, run in ever.items() if run.ended_at)
        going = {use.id for use in uses if use.ended_at is None}
        return metered == ended and len(ended) > 0 and going == {id for id, run in ever.items() if not run.ended_at} and len(going) == 1

    await eventually(is_metered, f"the truth after death {mortal.point}")


async def _once(dyno: Running) -> int:
    return 0


async def _live(house: House) -> None:
    """Restarts, scales, runs something, is stopped."""
    with suppress(Killed):
        await house.client.delete("/apps/mortal/dynos")
        await house.client.patch("/apps/mortal/formation/worker", json={"quantity": 1})
        await house.client.post("/apps/mortal/dynos", json={"command": "once"})
        await house.client.post("/apps/mortal/dynos/web.1/actions/stop")
        await house.client.patch("/apps/mortal/formation/worker", json={"quantity": 0})


async def test_an_add_on_is_charged_by_its_plan_until_it_is_destroyed(house: House) -> None:
    supplier = ScriptedSupplier(SERVICE)
    house.platform = replace(house.platform, suppliers={SERVICE.name: supplier})
    house.api.state.platform = house.platform
    await _to_the_month_start(house)
    await house.create("gallery")
    made = (await house.client.post("/apps/gallery/addons", json={"plan": "heroku-postgresql:essential-0"})).json()
    house.clock.advance(3600)
    changed = await house.client.patch(f"/apps/gallery/addons/{made['id']}", json={"plan": "heroku-postgresql:essential-1"})
    assert changed.status_code == 200, changed.text
    house.clock.advance(7200)
    assert (await house.client.delete(f"/apps/gallery/addons/{made['id']}", params={"force": "true"})).status_code == 200
    house.clock.advance(DAY_S)
    lines = {size: line for (name, size), line in (await _lines(house)).items() if name == made["name"]}
    seconds = {size: line["seconds"] for size, line in lines.items()}
    assert 3600 <= seconds["heroku-postgresql:essential-0"] < 3620 and 7200 <= seconds["heroku-postgresql:essential-1"] < 7220
    first, following = bounds(month_of(house.clock.now()))
    prices = {plan.name: plan.price_cents for plan in SERVICE.plans}
    for size, line in lines.items():
        assert line["kind"] == "add-on" and line["price_cents"] == prices[size]
        assert abs(line["cents"] - prices[size] * line["seconds"] / (following - first).total_seconds()) <= 0.51


async def test_an_add_on_destroyed_between_two_beats_is_charged_to_the_second_whoever_destroys_it(house: House) -> None:
    supplier = ScriptedSupplier(SERVICE)
    house.platform = replace(house.platform, suppliers={SERVICE.name: supplier}, following=ScriptedFollowing())
    house.api.state.platform = house.platform
    await _to_the_month_start(house)
    made = {}
    for app in ("by-itself", "with-its-app", "follower"):
        await house.create(app)
    for app in ("by-itself", "with-its-app"):
        made[app] = (await house.client.post(f"/apps/{app}/addons", json={"plan": "heroku-postgresql:standard-0"})).json()["name"]
    config = {"follow": "with-its-app::DATABASE"}
    answer = await house.client.post("/apps/follower/addons", json={"plan": "heroku-postgresql:standard-0", "config": config})
    made["follower"] = answer.json()["name"]
    began = house.clock.now()
    house.clock.advance(5000)
    assert (await house.client.delete(f"/apps/by-itself/addons/{made['by-itself']}")).status_code == 200
    assert (await house.client.delete("/apps/with-its-app")).status_code == 200  # its database's follower goes with it
    took = (house.clock.now() - began).total_seconds()
    house.clock.advance(DAY_S)
    lines = await _lines(house)
    for name in made.values():
        assert 5000 <= lines[name, "heroku-postgresql:standard-0"]["seconds"] <= took + 5, (name, took)


@pytest.mark.parametrize("change", ["destroy", "price", "hand over", "rename"])
async def test_what_is_changed_before_the_first_beat_after_the_machine_was_off_does_not_charge_that(house: House, change: str) -> None:
    await _ran_for_an_hour(house)
    await house.supervisor.__aexit__()
    house.clock.advance(DAY_S)
    house.clock.boot_id = "boot-2"  # and the disk was full when the platform came, so it could not say so
    other = await house.person("other@example.com")
    if change == "destroy":
        answer = await house.client.delete("/apps/shop")
    elif change == "price":
        answer = await house.operator.client.patch("/senryu/dyno-sizes/standard-1x", json={"price_cents": 5000})
    elif change == "hand over":
        await house.client.post("/apps/shop/collaborators", json={"user": "other@example.com", "silent": True})
        answer = await house.client.post("/account/app-transfers", json={"app": "shop", "recipient": "other@example.com", "silent": True})
        answer = await other.client.patch(f"/account/app-transfers/{answer.json()['id']}", json={"state": "accepted"})
    else:
        answer = await house.client.patch("/apps/shop", json={"name": "store"})
    assert answer.status_code < 300, answer.text
    statements = [dict((await person.client.get("/senryu/statements/now")).json()) for person in (house.owner, other)]
    seconds = [line["seconds"] for statement in statements for line in statement["lines"]]
    assert 3600 <= sum(seconds) < 3700, seconds


async def test_a_plan_that_costs_something_else_does_so_from_that_moment_on(house: House) -> None:
    manifest = partner_server.manifest(1)
    _open_to_partners(house)
    await _to_the_month_start(house)
    await _priced(house, manifest, 1000)
    await house.create("shop")
    made = (await house.client.post("/apps/shop/addons", json={"plan": "mailer:test"})).json()
    house.clock.advance(3600)
    await _priced(house, manifest, 4000)
    house.clock.advance(3600)
    await _priced(house, manifest, 4000)  # said again
    async with house.db.transaction() as tx:
        await fold_usage(tx, house.clock.now())
    await _priced(house, manifest, 1000)
    house.clock.advance(3600)
    await _priced(house, manifest, 0)
    house.clock.advance(3600)
    assert (await house.client.delete(f"/apps/shop/addons/{made['id']}")).status_code == 200

    async def is_right() -> None:
        found = [line for line in (await _statement(house))["lines"] if line["name"] == made["name"]]
        seconds = {line["price_cents"]: line["seconds"] for line in found}
        assert len(found) == 3 and seconds.keys() == {0, 1000, 4000}
        assert 7200 <= seconds[1000] < 7210 and all(3600 <= seconds[price] < 3610 for price in (0, 4000)), seconds

    await is_right()
    assert (await house.operator.client.delete("/senryu/partners/mailer")).status_code == 200
    await is_right()  # of what is offered no more, too
    async with house.db.transaction() as tx:
        await fold_usage(tx, house.clock.now())
    await is_right()


async def test_a_version_of_the_platform_with_other_prices_charges_them_from_its_start(house: House) -> None:
    cheap, dear = (replace(SERVICE, plans=tuple(replace(plan, price_cents=cents) for plan in SERVICE.plans)) for cents in (300, 900))
    suppliers = {SERVICE.name: ScriptedSupplier(cheap)}
    house.platform = replace(house.platform, suppliers=suppliers)
    house.api.state.platform = house.platform
    await _to_the_month_start(house)
    await keep_prices_once(db=house.db, suppliers=suppliers, clock=house.clock)
    await house.create("shop")
    made = (await house.client.post("/apps/shop/addons", json={"plan": "heroku-postgresql"})).json()
    house.clock.advance(3600)
    suppliers[SERVICE.name] = ScriptedSupplier(dear)
    for _ in range(2):
        await keep_prices_once(db=house.db, suppliers=suppliers, clock=house.clock)
        house.clock.advance(3600)
    lines = [line for line in (await _statement(house))["lines"] if line["name"] == made["name"]]
    seconds = {line["price_cents"]: line["seconds"] for line in lines}
    assert 3600 <= seconds[300] < 3610 and 7200 <= seconds[900] < 7210 and len(seconds) == 2


def _open_to_partners(house: House) -> None:
    """A platform that takes services of others, which are made up."""

    def make(manifest: Manifest, _: UUID) -> ScriptedSupplier:
        return ScriptedSupplier(manifest.service)

    partners = Partners({}, make)
    house.platform = replace(house.platform, suppliers=partners.offered, partners=partners)
    house.api.state.platform = house.platform


async def _priced(house: House, manifest: dict[str, Any], cents: int) -> None:
    plans = [{"slug": "test", "human_name": "Test", "price_cents": cents, "default": True}]
    answer = await house.operator.client.post("/senryu/partners", json={**manifest, "plans": plans})
    assert answer.status_code == 201, answer.text
