"""Add-ons from the first to the last day: made, attached, shared, changed, detached, destroyed, and what a crash leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from house import House, eventually
from senryu.actions.provision import finish_add_ons
from senryu.api import addon_attachments, addons
from senryu.api.parts import releasing
from senryu.core.errors import Unavailable
from senryu.providers.postgres import SERVICE
from senryu.store.add_ons import list_add_ons
from stand_ins import ScriptedSupplier


@pytest.fixture
def supplier(house: House) -> ScriptedSupplier:
    made = ScriptedSupplier(SERVICE)
    house.platform = replace(house.platform, suppliers={SERVICE.name: made})
    house.api.state.platform = house.platform
    return made


async def _config(house: House, app: str) -> dict[str, str]:
    return dict((await house.client.get(f"/apps/{app}/config-vars")).json())


async def test_the_first_database_is_DATABASE_URL_and_restarts_the_app_with_it(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("gallery")
    await house.deploy("gallery")
    answer = await house.client.post("/apps/gallery/addons", json={"plan": "heroku-postgresql"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["plan"]["name"], made["config_vars"]) == ("provisioned", "heroku-postgresql:essential-0", ["DATABASE_URL"])
    url = (await _config(house, "gallery"))["DATABASE_URL"]
    assert url == f"scripted://{made['id']}"
    await house.settle("gallery")
    [dyno] = await house.serving("gallery")
    assert dyno.order.env["DATABASE_URL"] == url
    assert (await house.releases("gallery"))[-1].description == f"Attach DATABASE (@{made['name']})"


async def test_the_only_one_of_a_service_is_known_by_it(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("known")
    made = (await house.client.post("/apps/known/addons", json={"plan": "heroku-postgresql"})).json()
    assert (await house.client.get("/apps/known/addons/heroku-postgresql")).json()["id"] == made["id"]
    await house.client.post("/apps/known/addons", json={"plan": "heroku-postgresql"})
    assert (await house.client.get("/apps/known/addons/heroku-postgresql")).status_code == 404


async def test_another_database_has_a_colour_and_either_can_be_promoted(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("two")
    first = (await house.client.post("/apps/two/addons", json={"plan": "heroku-postgresql:essential-0"})).json()
    second = (await house.client.post("/apps/two/addons", json={"plan": "senryu-postgresql:essential-1"})).json()
    [coloured] = second["config_vars"]
    assert coloured.startswith("HEROKU_POSTGRESQL_") and coloured.endswith("_URL")
    spare = await house.client.post("/addon-attachments", json={"addon": first["name"], "app": "two"})
    assert spare.status_code == 201, spare.text
    body = {"addon": {"name": second["name"]}, "app": {"name": "two"}, "name": "DATABASE", "confirm": "two"}
    assert (await house.client.post("/addon-attachments", json=body)).status_code == 201
    assert (await _config(house, "two"))["DATABASE_URL"] == f"scripted://{second['id']}"


async def test_config_vars_of_add_ons_are_not_set_by_hand(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("hand")
    await house.client.post("/apps/hand/addons", json={"plan": "heroku-postgresql"})
    refused = await house.set("hand", DATABASE_URL="postgres://mine")
    assert refused.status_code == 422 and "DATABASE_URL" in refused.json()["message"]
    await house.create("before")
    await house.set("before", DATABASE_URL="postgres://mine")
    taken = await house.client.post("/apps/before/addons", json={"plan": "heroku-postgresql"})
    assert taken.status_code == 409 and supplier.made.keys() == {next(iter(supplier.made))}


async def test_a_shared_database_is_destroyed_only_when_nobody_uses_it_or_by_force(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("owner")
    await house.create("guest")
    made = (await house.client.post("/apps/owner/addons", json={"plan": "heroku-postgresql"})).json()
    shared = (await house.client.post("/addon-attachments", json={"addon": made["name"], "app": "guest"})).json()
    assert (await _config(house, "guest"))[shared["config_vars"][0]] == f"scripted://{made['id']}"
    assert (await house.client.request("DELETE", f"/apps/owner/addons/{made['id']}", json={"force": False})).status_code == 409
    gone = await house.client.request("DELETE", f"/apps/owner/addons/{made['id']}", json={"force": True})
    assert gone.json()["state"] == "deprovisioned"
    assert (await _config(house, "owner"), await _config(house, "guest"), supplier.made) == ({}, {}, {})
    assert (await house.client.get(f"/addons/{made['id']}")).status_code == 404


async def test_a_supplier_that_fails_leaves_nothing_and_says_why(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("unlucky")
    supplier.fails = Unavailable("The server is away; try again.")
    answer = await house.client.post("/apps/unlucky/addons", json={"plan": "heroku-postgresql"})
    assert answer.status_code == 503 and "away" in answer.json()["message"]
    assert (await house.client.get("/apps/unlucky/addons")).json() == []
    assert (await house.client.post("/apps/unlucky/addons", json={"plan": "heroku-postgresql"})).status_code == 201


async def test_an_add_on_half_made_in_a_crash_is_finished(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("crash")
    supplier.gate = asyncio.Event()
    wanted = {"plan": "heroku-postgresql", "config": {"version": "15"}}
    asking = asyncio.create_task(house.client.post("/apps/crash/addons", json=wanted))

    async def is_kept() -> bool:
        async with house.db.reading() as tx:
            return bool(await list_add_ons(tx, vault=house.platform.vault))

    await eventually(is_kept)
    asking.cancel()
    supplier.gate = None
    house.clock.advance(600)
    await finish_add_ons(suppliers=house.platform.suppliers, **releasing(house.platform))
    [add_on] = (await house.client.get("/apps/crash/addons")).json()
    assert (add_on["state"], supplier.options[UUID(add_on["id"])]) == ("provisioned", {"version": "15"})
    assert (await _config(house, "crash"))["DATABASE_URL"] == f"scripted://{add_on['id']}"


async def test_what_a_process_left_half_made_the_next_one_finishes_at_once(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("soon")
    supplier.gate = asyncio.Event()
    asking = asyncio.create_task(house.client.post("/apps/soon/addons", json={"plan": "heroku-postgresql"}))

    async def is_kept() -> bool:
        async with house.db.reading() as tx:
            return bool(await list_add_ons(tx, vault=house.platform.vault))

    await eventually(is_kept)
    asking.cancel()
    supplier.gate = None
    await finish_add_ons(suppliers=house.platform.suppliers, **releasing(house.platform))
    assert supplier.made == {}, "it may still be somebody's work"
    await finish_add_ons(suppliers=house.platform.suppliers, began=house.clock.now(), **releasing(house.platform))
    [add_on] = (await house.client.get("/apps/soon/addons")).json()
    assert (add_on["state"], list(supplier.made)) == ("provisioned", [UUID(add_on["id"])])


async def test_what_cannot_be_made_nor_taken_away_now_goes_later_and_says_why_it_was_not_made(
    house: House, supplier: ScriptedSupplier
) -> None:
    await house.create("twice")
    supplier.fails = Unavailable("The server is away; try again.")
    supplier.fails_next = Unavailable("It is still away.")
    answer = await house.client.post("/apps/twice/addons", json={"plan": "heroku-postgresql"})
    assert answer.json()["message"] == "The server is away; try again."
    assert (await _config(house, "twice")) == {}
    house.clock.advance(600)
    await finish_add_ons(suppliers=house.platform.suppliers, **releasing(house.platform))
    assert (await house.client.get("/apps/twice/addons")).json() == []


async def test_what_could_not_be_taken_away_goes_with_the_next_round_and_what_somebody_takes_away_is_left_to_them(
    house: House, supplier: ScriptedSupplier
) -> None:
    await house.create("leaving")
    first, second = [(await house.client.post("/apps/leaving/addons", json={"plan": "heroku-postgresql"})).json() for _ in range(2)]
    supplier.fails = Unavailable("The agent is away.")
    answer = await house.client.request("DELETE", f"/apps/leaving/addons/{first['id']}", json={"force": False})
    assert answer.status_code == 503
    supplier.gate_out = asyncio.Event()
    asking = asyncio.create_task(house.client.request("DELETE", f"/apps/leaving/addons/{second['id']}", json={"force": False}))
    await eventually(lambda: supplier.asked == 2)
    held, supplier.gate_out = supplier.gate_out, None
    await finish_add_ons(suppliers=house.platform.suppliers, **releasing(house.platform))
    assert (supplier.asked, list(supplier.made)) == (3, [UUID(second["id"])])
    held.set()
    assert (await asking).json()["state"] == "deprovisioned"
    assert (supplier.asked, supplier.made, (await house.client.get("/apps/leaving/addons")).json()) == (3, {}, [])


async def test_an_add_on_destroyed_while_it_is_made_is_not_made(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("fickle")
    supplier.gate = asyncio.Event()
    asking = asyncio.create_task(house.client.post("/apps/fickle/addons", json={"plan": "heroku-postgresql", "name": "fickle-db"}))
    await eventually(lambda: _is_known(house, "fickle-db"))
    assert (await house.client.delete("/apps/fickle/addons/fickle-db")).status_code == 200
    supplier.gate.set()
    assert (await asking).status_code == 409
    assert (await house.client.get("/addons/fickle-db")).status_code == 404


async def _is_known(house: House, name: str) -> bool:
    return (await house.client.get(f"/addons/{name}")).status_code == 200


async def test_every_app_that_had_a_database_restarts_without_it(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("host")
    await house.create("guest")
    await house.deploy("guest")
    made = (await house.client.post("/apps/host/addons", json={"plan": "heroku-postgresql"})).json()
    await house.client.post("/addon-attachments", json={"addon": made["name"], "app": "guest"})
    await house.client.request("DELETE", f"/apps/host/addons/{made['id']}", json={"force": True})
    await house.settle("guest")
    [dyno] = await house.serving("guest")
    assert "DATABASE_URL" not in dyno.order.env
    assert (await house.releases("guest"))[-1].description == f"Detach DATABASE (@{made['name']})"


async def test_destroying_an_app_takes_its_databases_away(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("gone")
    await house.client.post("/apps/gone/addons", json={"plan": "heroku-postgresql"})
    assert (await house.client.delete("/apps/gone")).status_code == 200
    house.clock.advance(600)
    await finish_add_ons(suppliers=house.platform.suppliers, **releasing(house.platform))
    assert supplier.made == {}


async def test_a_rollback_keeps_the_database_of_today(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("back")
    await house.deploy("back", "web: one")
    await house.client.post("/apps/back/addons", json={"plan": "heroku-postgresql"})
    await house.deploy("back", "web: two")
    assert (await house.client.post("/apps/back/releases", json={"release": "2"})).status_code == 201
    await house.settle("back")
    [dyno] = await house.serving("back")
    assert dyno.order.command == "one"
    assert dyno.order.env["DATABASE_URL"].startswith("scripted://")


async def test_plans_and_names_change(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("grow")
    made = (await house.client.post("/apps/grow/addons", json={"plan": "heroku-postgresql"})).json()
    changed = await house.client.patch(f"/apps/grow/addons/{made['name']}", json={"plan": {"name": "heroku-postgresql:standard-0"}})
    assert changed.json()["plan"]["name"] == "heroku-postgresql:standard-0"
    renamed = await house.client.patch(f"/apps/grow/addons/{made['id']}", json={"name": "pictures"})
    assert renamed.json()["name"] == "pictures"
    found = await house.client.post("/actions/addons/resolve", json={"addon": "pictures", "app": "grow"})
    assert [entry["id"] for entry in found.json()] == [made["id"]]
    by_variable = await house.client.post("/actions/addon-attachments/resolve", json={"addon_attachment": "DATABASE_URL", "app": "grow"})
    assert by_variable.json()[0]["addon"]["plan"]["name"] == "heroku-postgresql:standard-0"


@pytest.mark.parametrize("call", ["attach", "change_plan"])
async def test_whose_app_is_destroyed_before_its_change_is_answered_is_told_so(
    house: House, supplier: ScriptedSupplier, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    await house.create("doomed")
    body = {"plan": "heroku-postgresql:standard-0", "name": "its-db"}
    assert (await house.client.post("/apps/doomed/addons", json=body)).status_code == 201
    room = addon_attachments if call == "attach" else addons
    real = getattr(room, call)

    async def then_destroyed(*of: Any, **parts: Any) -> Any:
        made = await real(*of, **parts)
        assert (await house.client.delete("/apps/doomed")).status_code == 200
        return made

    monkeypatch.setattr(room, call, then_destroyed)
    if call == "attach":
        answer = await house.client.post("/addon-attachments", json={"addon": "its-db", "app": "doomed", "name": "AGAIN"})
    else:
        answer = await house.client.patch("/apps/doomed/addons/its-db", json={"plan": "heroku-postgresql:standard-2"})
    assert (answer.status_code, "was destroyed meanwhile" in answer.json()["message"]) == (404, True)
