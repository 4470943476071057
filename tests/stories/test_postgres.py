"""What only a database with several writers at once can get wrong."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from house import House, eventually, house_at
from postgres import emptied
from senryu.providers.postgres import SERVICE
from senryu.store.database import Database
from senryu.store.tables import accounts, authorizations
from senryu.store.usage import beat, fold_usage
from stand_ins import ScriptedSupplier

pytestmark = pytest.mark.postgres


@pytest_asyncio.fixture
async def shared(tmp_path: Path, empty_database: Path, postgres_url: str) -> AsyncIterator[House]:
    """The house on PostgreSQL."""
    db = Database(postgres_url)
    await emptied(db)
    await db.close()
    async with house_at(tmp_path / "home", empty_database, postgres_url) as house:
        yield house


async def test_fifty_keys_set_at_once_are_all_there(shared: House) -> None:
    await shared.create("crowd")
    answers = await asyncio.gather(*(shared.set("crowd", **{f"KEY_{number}": str(number)}) for number in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    releases = await shared.releases("crowd")
    assert [release.version for release in releases] == list(range(1, 52))
    assert releases[-1].config_vars == {f"KEY_{number}": str(number) for number in range(50)}


async def test_names_domains_and_the_first_account_are_given_once(shared: House) -> None:
    answers = await asyncio.gather(*(shared.client.post("/apps", json={"name": "wanted"}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 5
    await shared.create("other")
    paths = ["/apps/wanted/domains", "/apps/other/domains"] * 3
    answers = await asyncio.gather(*(shared.client.post(path, json={"hostname": "www.example.org"}) for path in paths))
    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert [answer.status_code for answer in answers].count(201) == 1
    await shared.client.delete("/apps/wanted")
    await shared.client.delete("/apps/other")
    async with shared.db.transaction() as tx:
        await tx.execute(authorizations.delete())
        await tx.execute(accounts.delete())
    body = {"password": "long enough"}
    register = (shared.anyone().post("/senryu/registrations", json={**body, "email": f"{number}@example.com"}) for number in range(6))
    assert sorted(answer.status_code for answer in await asyncio.gather(*register)) == [201] + [403] * 5


async def test_an_app_lives_its_life(shared: House) -> None:
    await shared.create("life")
    _, output = await shared.deploy("life", "web: one", "nul-free")
    assert "deployed to Senryu" in output
    await asyncio.gather(
        shared.client.patch("/apps/life", json={"maintenance": True}),
        shared.set("life", A="1"),
        shared.client.patch("/apps/life/formation", json={"updates": [{"type": "web", "quantity": 2}]}),
    )
    app = (await shared.client.get("/apps/life")).json()
    assert app["maintenance"] is True
    assert app["released_at"] is not None
    await shared.settle("life")
    await shared.restart()
    await shared.client.post("/apps/life/releases", json={"release": "v2"})
    await shared.settle("life")
    assert {dyno.order.command for dyno in await shared.serving("life")} == {"one"}
    assert (await shared.client.delete("/apps/life")).status_code == 200
    await eventually(lambda: not shared.engine.running)


async def test_what_no_column_can_hold_is_refused_and_not_stumbled_over(shared: House) -> None:
    await shared.create("nul")
    for method, path, body in (
        ("GET", "/apps/x%00y", None),
        ("GET", "/apps/nul/domains/x%00y", None),
        ("DELETE", "/apps/nul/collaborators/x%00y", None),
        ("POST", "/apps/nul/builds", {"source_blob": {"url": "http://127.0.0.1/", "version": "\0"}}),
        ("POST", "/apps/nul/slugs", {"process_types": {"web": "x"}, "commit": "\0"}),
        ("POST", "/apps/nul/releases", {"slug": "\0"}),
        ("PATCH", "/apps/nul/config-vars", {"A": "\0"}),
        ("POST", "/oauth/authorizations", {"description": "\0"}),
        ("PATCH", "/account", {"name": "\0"}),
        ("PATCH", "/apps/nul", {"build_stack": "\0"}),
        ("PUT", "/apps/nul/buildpack-installations", {"updates": [{"buildpack": "https://x/\0"}]}),
    ):
        answer = await shared.client.request(method, path, json=body)
        assert 400 <= answer.status_code < 500, (path, answer.text)


async def test_sleep_hours_and_statements_are_as_on_sqlite(shared: House) -> None:
    app = await shared.create("crowd")
    await shared.deploy("crowd", "web: serve\nworker: work")
    sizes = [{"type": name, "size": "eco"} for name in ("web", "worker")]
    assert (await shared.client.patch("/apps/crowd/formation", json={"updates": sizes})).status_code == 200
    await shared.settle("crowd")
    shared.router.quiet[UUID(app["id"])] = 1801.0
    shared.clock.advance(1801)

    async def is_idle() -> bool:
        return [dyno["state"] for dyno in (await shared.client.get("/apps/crowd/dynos")).json()] == ["idle"]

    await eventually(is_idle, "sleep")
    shared.router.quiet.clear()
    shared.router.ask_for(UUID(app["id"]))
    await shared.settle("crowd")
    async with shared.db.transaction() as tx:
        assert await beat(tx, "boot-1", shared.clock.now()) == 0
        assert await fold_usage(tx, shared.clock.now()) > 0
        assert await beat(tx, "boot-2", shared.clock.now()) == 1
    [line, *_] = [line for line in (await shared.client.get("/senryu/statements/now")).json()["lines"] if line["size"] == "Eco"]
    assert line["seconds"] >= 1800
    quota = (await shared.client.get("/accounts/~/actions/get-quota")).json()
    assert quota["size"] == "Eco" and quota["quota_used"] >= 1800
    assert (await shared.client.get("/account/invoices")).json()[-1]["total"] >= 500


async def test_apps_that_attach_a_database_while_it_moves_have_where_it_is(shared: House) -> None:
    supplier = ScriptedSupplier(SERVICE)
    supplier.moves = True
    shared.platform = replace(shared.platform, suppliers={SERVICE.name: supplier})
    shared.api.state.platform = shared.platform
    names = ["owner", *(f"guest-{number}" for number in range(3))]
    for name in names:
        await shared.create(name)
        await shared.deploy(name)
    body = {"plan": "heroku-postgresql:standard-0", "name": "shared-db"}
    assert (await shared.client.post("/apps/owner/addons", json=body)).status_code == 201
    for plan in ("standard-2", "standard-0"):
        change, attached_as = {"plan": f"heroku-postgresql:{plan}"}, f"X{plan[-1]}"
        attachments = ({"addon": "shared-db", "app": name, "name": attached_as} for name in names[1:])
        answers = await asyncio.gather(
            shared.client.patch("/apps/owner/addons/shared-db", json=change),
            *(shared.client.post("/addon-attachments", json=attachment) for attachment in attachments),
            shared.client.patch("/apps/owner/addons/shared-db", json=change),
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 409, 422}
    urls: set[str] = set()
    for name in names:
        await shared.settle(name)
        config = (await shared.client.get(f"/apps/{name}/config-vars")).json()
        [dyno] = await shared.serving(name)
        assert {key: value for key, value in dyno.order.env.items() if key.endswith("_URL")} == config
        urls |= set(config.values())
    assert len(urls) == 1


async def test_apps_that_share_add_ons_are_destroyed_at_once(shared: House) -> None:
    names = await _mesh(shared, 5)
    answers = await asyncio.gather(*(shared.client.delete(f"/apps/{name}") for name in names))
    assert [(answer.status_code, answer.json().get("message")) for answer in answers] == [(200, None)] * len(names)


async def test_changes_of_shared_add_ons_at_once_all_happen(shared: House) -> None:
    names = await _mesh(shared, 5)
    client, plan = shared.client, {"plan": "heroku-postgresql:standard-2"}
    answers = await asyncio.gather(
        *(client.delete(f"/apps/{name}") for name in names[:1]),
        *(client.request("DELETE", f"/apps/{name}/addons/db-{name}", json={"force": True}) for name in names[1:3]),
        *(client.patch(f"/apps/{name}/addons/db-{name}", json=plan) for name in names[3:]),
        *(shared.set(name, A="1") for name in names[1:]),
        *(client.post("/addon-attachments", json={"addon": f"db-{names[4]}", "app": name, "name": "AGAIN"}) for name in names[1:4]),
    )
    assert [(answer.status_code // 100, answer.json().get("message")) for answer in answers] == [(2, None)] * len(answers)


async def _mesh(shared: House, count: int) -> list[str]:
    """Apps of which each has an add-on that all others have attached, and a webhook that is told of everything."""
    supplier = ScriptedSupplier(SERVICE)
    supplier.moves = True
    shared.platform = replace(shared.platform, suppliers={SERVICE.name: supplier})
    shared.api.state.platform = shared.platform
    names = [f"mesh-{number}" for number in range(count)]
    webhook = {"include": ["api:addon", "api:addon-attachment", "api:release", "api:app"], "level": "notify", "url": "https://hooks.example.com/"}
    for name in names:
        await shared.create(name)
        body = {"plan": "heroku-postgresql:standard-0", "name": f"db-{name}"}
        assert (await shared.client.post(f"/apps/{name}/addons", json=body)).status_code == 201
        assert (await shared.client.post(f"/apps/{name}/webhooks", json=webhook)).status_code == 201
    for name, other in itertools.permutations(names, 2):
        attachment = {"addon": f"db-{other}", "app": name, "name": f"OF_{names.index(other)}"}
        assert (await shared.client.post("/addon-attachments", json=attachment)).status_code == 201
    return names
