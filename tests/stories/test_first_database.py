"""The first deploy of an app whose manifests name a PostgreSQL client gets a database; nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from house import House
from senryu.core.errors import Unavailable
from senryu.engines.memory import Running
from senryu.providers.postgres import SERVICE
from stand_ins import ScriptedSupplier

PG = {"Procfile": "web: serve", "requirements.txt": "flask\npsycopg2-binary\n"}
PLAIN = {"Procfile": "web: serve", "requirements.txt": "flask\n"}


@pytest.fixture
def supplier(house: House) -> ScriptedSupplier:
    made = ScriptedSupplier(SERVICE)
    _use(house, suppliers={SERVICE.name: made})
    return made


def _use(house: House, **changes: Any) -> None:
    house.platform = replace(house.platform, **changes)
    house.api.state.platform = house.platform


async def _addons(house: House, app: str) -> list[str]:
    return [add_on["plan"]["name"] for add_on in (await house.client.get(f"/apps/{app}/addons")).json()]


async def test_the_first_deploy_gets_its_database_before_it_starts_and_is_told(house: House, supplier: ScriptedSupplier) -> None:
    urls: list[str] = []

    async def migrate(dyno: Running) -> int:
        urls.append(dyno.order.env["DATABASE_URL"])
        return 0

    house.engine.programs["migrate"] = migrate
    await house.create("gallery")
    build, output = await house.deploy("gallery", {**PG, "Procfile": "web: serve\nrelease: migrate"})
    [add_on] = (await house.client.get("/apps/gallery/addons")).json()
    assert add_on["plan"]["name"] == "heroku-postgresql:essential-0"
    lines = output.splitlines()
    at = lines.index("-----> Adding heroku-postgresql:essential-0 (requirements.txt names psycopg2-binary)")
    assert lines[at + 1 : at + 3] == [f"       {add_on['name']} is DATABASE_URL", "-----> Launching..."]
    await house.settle("gallery")
    [dyno] = await house.serving("gallery")
    assert [dyno.order.env["DATABASE_URL"]] == urls == [f"scripted://{add_on['id']}"]
    releases = await house.releases("gallery")
    assert [release.description for release in releases[-2:]] == [f"Attach DATABASE (@{add_on['name']})", "Deploy"]
    shown = (await house.client.get(f"/apps/gallery/releases/{releases[-1].version}")).json()
    assert "database_s" in shown["timing"] and build["status"] == "succeeded"


async def test_later_deploys_get_none(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("later")
    await house.deploy("later", PLAIN)
    _, output = await house.deploy("later", PG)
    assert "Adding" not in output and await _addons(house, "later") == [] and supplier.made == {}
    await house.create("once")
    await house.deploy("once", PG)
    [add_on] = (await house.client.get("/apps/once/addons")).json()
    await house.client.request("DELETE", f"/apps/once/addons/{add_on['id']}", json={})
    await house.deploy("once", PG)
    assert await _addons(house, "once") == []


async def test_an_app_that_has_a_database_already_keeps_to_it(house: House, supplier: ScriptedSupplier) -> None:
    for name in ("own", "shared", "by-hand", "other-name"):
        await house.create(name)
    made = (await house.client.post("/apps/own/addons", json={"plan": "heroku-postgresql:essential-1"})).json()
    await house.client.post("/addon-attachments", json={"addon": made["name"], "app": "shared"})
    await house.set("by-hand", DATABASE_URL="postgres://elsewhere")
    await house.client.post("/apps/other-name/addons", json={"plan": "heroku-postgresql", "attachment": {"name": "MAIN"}})
    count = len(supplier.made)
    for name in ("own", "shared", "by-hand", "other-name"):
        _, output = await house.deploy(name, PG)
        assert "Adding" not in output, name
    assert len(supplier.made) == count


async def test_a_build_that_fails_brings_no_database_and_the_next_does(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("clumsy")
    await house.deploy("clumsy", {**PG, "fail": "no such module"})
    assert supplier.made == {}
    await house.deploy("clumsy", PG)
    assert len(supplier.made) == 1


async def test_a_database_that_cannot_be_made_does_not_fail_the_deploy(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("brave")
    supplier.fails = Unavailable("The PostgreSQL server is away; try again in a minute.")
    build, output = await house.deploy("brave", PG)
    assert build["status"] == "succeeded" and "deployed to Senryu" in output
    assert " !     It could not be added: The PostgreSQL server is away; try again in a minute." in output
    assert "add it later with `senryu addons:create heroku-postgresql:essential-0`" in output
    assert await _addons(house, "brave") == []
    await house.settle("brave")
    assert len(await house.serving("brave")) == 1


async def test_a_bug_in_a_supplier_does_not_fail_the_deploy_either(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("buggy")
    supplier.fails = RuntimeError("a bug")  # type: ignore[assignment]
    build, output = await house.deploy("buggy", PG)
    assert build["status"] == "succeeded" and "It could not be added: The platform failed" in output and "a bug" not in output


async def test_operators_choose_the_plan_or_switch_it_off(house: House, supplier: ScriptedSupplier) -> None:
    await house.create("bigger")
    _use(house, settings=replace(house.platform.settings, first_database="heroku-postgresql:standard-0"))
    await house.deploy("bigger", PG)
    assert await _addons(house, "bigger") == ["heroku-postgresql:standard-0"]
    _use(house, settings=replace(house.platform.settings, first_database="off"))
    await house.create("none")
    _, output = await house.deploy("none", PG)
    assert "Adding" not in output and await _addons(house, "none") == []


async def test_a_platform_without_databases_says_nothing(house: House) -> None:
    await house.create("bare")
    _, output = await house.deploy("bare", PG)
    assert "Adding" not in output and "deployed to Senryu" in output
