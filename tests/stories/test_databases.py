"""Databases as `pg:*` sees and changes them: told, emptied, kept within their plan; credentials through failures and crashes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from house import House
from senryu.actions.credentials import finish_credentials
from senryu.actions.keep_databases import DatabaseLoop
from senryu.api.parts import releasing
from senryu.core.database import Access
from senryu.core.errors import Unavailable
from senryu.core.limits import GIB
from senryu.providers.postgres import SERVICE
from stand_ins import ScriptedDatabases, ScriptedSupplier

AWAY = Unavailable("The server is away; try again.")


@pytest.fixture
def databases(house: House) -> ScriptedDatabases:
    made = ScriptedDatabases()
    house.platform = replace(house.platform, suppliers={SERVICE.name: ScriptedSupplier(SERVICE)}, databases=made)
    house.api.state.platform = house.platform
    return made


async def _database(house: House, app: str, plan: str = "standard-0") -> dict[str, Any]:
    await house.create(app)
    return dict((await house.client.post(f"/apps/{app}/addons", json={"plan": f"heroku-postgresql:{plan}"})).json())


async def _config(house: House, app: str) -> dict[str, str]:
    return dict((await house.client.get(f"/apps/{app}/config-vars")).json())


def _loop(house: House, databases: ScriptedDatabases) -> DatabaseLoop:
    return DatabaseLoop(databases=databases, suppliers=house.platform.suppliers, **releasing(house.platform))


async def _log(house: House, app: str) -> str:
    id = (await house.client.get(f"/apps/{app}")).json()["id"]
    return "\n".join(await house.log_of(id))


async def test_a_database_tells_what_pg_info_prints(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "told", "essential-0")
    databases.sizes[UUID(made["id"])] = GIB // 2
    answer = (await house.client.get(f"/client/v11/databases/{made['id']}")).json()
    rows = {row["name"]: row["values"] for row in answer["info"]}
    assert rows["Plan"] == ["Essential 0"] and rows["Status"] == ["Available"] and rows["Connections"] == ["1/20"]
    assert rows["Data Size"] == ["512 MB / 1 GB (50.00%)"] and rows["PG Version"] == ["15.9"]
    assert (rows["Fork/Follow"], rows["Rollback"], "Credentials" in rows) == (["Unsupported"], ["Unsupported"], False)
    assert answer["resource_url"] == (await _config(house, "told"))["DATABASE_URL"]
    assert (await house.client.get(f"/client/v11/databases/{made['name']}/wait_status")).json()["waiting?"] is False


async def test_who_may_not_see_its_url_may_not_see_the_database(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "private")
    stranger = await house.person("stranger@example.com")
    for method, path in (("GET", ""), ("PUT", "/reset"), ("POST", "/connection_reset"), ("POST", "/wires")):
        refused = await stranger.client.request(method, f"/client/v11/databases/{made['id']}{path}", json={} if method != "GET" else None)
        assert refused.status_code == 404
    for path in ("credentials", "credentials/default", "config"):
        assert (await stranger.client.get(f"/postgres/v0/databases/{made['id']}/{path}")).status_code == 404
    # Somebody with an app that has it attached sees it, and changes nothing of it.
    await house.create("guest-app")
    await house.client.post("/addon-attachments", json={"addon": made["name"], "app": "guest-app"})
    await house.client.post("/apps/guest-app/collaborators", json={"user": "stranger@example.com", "silent": True})
    assert (await stranger.client.get(f"/client/v11/databases/{made['id']}")).status_code == 200
    assert (await stranger.client.put(f"/client/v11/databases/{made['id']}/reset", json={})).status_code == 404
    assert databases.done == []


async def test_databases_that_want_more_connections_than_there_are_share_them(house: House, databases: ScriptedDatabases) -> None:
    greedy, modest = [UUID((await _database(house, app, "essential-2"))["id"]) for app in ("greedy", "modest")]
    loop = _loop(house, databases)
    databases.limits = {greedy: 40, modest: 40}
    databases.connections = {greedy: 40, modest: 40}
    assert not await loop.round() and databases.limits[greedy] == 40  # of 100: not crowded yet
    third = UUID((await _database(house, "third", "essential-0"))["id"])
    databases.connections[third] = 18
    assert await loop.round()  # and is looked at again soon
    assert databases.limits == {greedy: 28, modest: 28}
    assert "may hold 28 of its 40 connections" in await _log(house, "greedy") and "12 were ended" in await _log(house, "greedy")
    databases.connections[greedy] = 0
    assert not await loop.round() and databases.limits[modest] == 40


async def test_resetting_and_ending_connections_reach_the_server(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "reset")
    id = UUID(made["id"])
    refused = await house.client.put(f"/client/v11/databases/{id}/reset", json={"extensions": ["a; DROP"]})
    assert refused.status_code == 422
    assert (await house.client.put(f"/client/v11/databases/{id}/reset", json={"extensions": ["hstore"]})).status_code == 200
    assert (await house.client.post(f"/client/v11/databases/{id}/connection_reset")).status_code == 200
    assert (await house.client.put(f"/client/v11/databases/{id}/stats_reset")).json()["message"]
    assert databases.done == [("reset", id, "hstore"), ("end", id, None), ("statistics", id)]
    upgrade = await house.client.post(f"/client/v11/databases/{id}/upgrade/run", json={"version": "17"})
    assert upgrade.status_code == 409 and "distribution" in upgrade.json()["message"]


async def test_a_credential_is_made_attached_rotated_and_destroyed(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "several")
    path = f"/postgres/v0/databases/{made['name']}/credentials"
    created = await house.client.post(path, json={"name": "analyst"})
    assert created.status_code == 201 and "password" not in created.text
    assert [each["name"] for each in (await house.client.get(path)).json()] == ["default", "analyst"]
    told = (await house.client.get(f"/client/v11/databases/{made['id']}")).json()["info"]
    assert [row["values"] for row in told if row["name"] == "Credentials"] == [["2"]]
    shown = (await house.client.get(f"{path}/analyst")).json()
    [login] = shown["credentials"]
    assert login == {"user": "u-analyst", "password": databases.passwords[UUID(made["id"]), "analyst"], "state": "active", "connections": 0}
    names = (await house.client.get(f"/addons/{made['name']}/config/credential:analyst")).json()
    assert names == [{"name": "URL"}] and (await house.client.get(f"/addons/{made['name']}/config/credential:none")).json() == []
    body = {"addon": made["name"], "app": "several", "name": "READER", "namespace": "credential:analyst"}
    attached = (await house.client.post("/addon-attachments", json=body)).json()
    assert attached["namespace"] == "credential:analyst"
    config = await _config(house, "several")
    assert config["READER_URL"].startswith("postgres://u-analyst:") and config["DATABASE_URL"].startswith("scripted://")
    assert (await house.client.delete(f"{path}/analyst")).status_code == 409
    assert (await house.client.post(f"{path}/analyst/credentials_rotation", json={})).status_code == 200
    rotated = await _config(house, "several")
    assert rotated["READER_URL"] != config["READER_URL"] and rotated["DATABASE_URL"] == config["DATABASE_URL"]
    assert (await house.releases("several"))[-1].description == "Update READER by heroku-postgresql"
    assert ("end", UUID(made["id"]), "analyst") in databases.done
    [attachment] = [each for each in (await house.client.get("/apps/several/addon-attachments")).json() if each["name"] == "READER"]
    await house.client.delete(f"/addon-attachments/{attachment['id']}")
    assert (await house.client.delete(f"{path}/analyst")).status_code == 200
    assert (UUID(made["id"]), "analyst") not in databases.passwords
    for name in ("default", "Upper", "-dash", "a" * 51, "semi;colon"):
        assert (await house.client.post(path, json={"name": name})).status_code == 422


async def test_an_essential_plan_has_its_default_credential_only(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "small", "essential-0")
    refused = await house.client.post(f"/postgres/v0/databases/{made['name']}/credentials", json={"name": "other"})
    assert refused.status_code == 422 and "standard" in refused.json()["message"]
    assert (await house.client.delete(f"/postgres/v0/databases/{made['name']}/credentials/default")).status_code == 422
    before = (await _config(house, "small"))["DATABASE_URL"]
    await house.client.post(f"/postgres/v0/databases/{made['name']}/credentials/default/credentials_rotation", json={"forced": True})
    assert (await _config(house, "small"))["DATABASE_URL"] != before


async def test_a_password_half_rotated_in_a_crash_is_the_one_apps_get(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "half")
    path, id = f"/postgres/v0/databases/{made['name']}", UUID(made["id"])
    before = (await _config(house, "half"))["DATABASE_URL"]
    databases.fails = AWAY
    assert (await house.client.post(f"{path}/credentials/default/credentials_rotation", json={})).status_code == 503
    assert (await _config(house, "half"))["DATABASE_URL"] == before
    assert (await house.client.get(f"{path}/credentials")).json()[0]["state"] == "rotating"
    again = await house.client.post(f"{path}/credentials/default/credentials_rotation", json={})
    assert again.status_code in (409, 422)
    databases.fails = AWAY  # once more: it waits for the next round
    for _ in range(2):
        await finish_credentials(databases=databases, suppliers=house.platform.suppliers, older_s=0.0, **releasing(house.platform))
    after = (await _config(house, "half"))["DATABASE_URL"]
    assert databases.passwords[id, "default"] in after and after != before
    assert (await house.client.get(f"{path}/credentials")).json()[0]["state"] == "active"
    assert (await house.releases("half"))[-1].description == "Update DATABASE by heroku-postgresql"


async def test_credentials_half_made_and_half_destroyed_in_a_crash_are_finished(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "halves")
    path, id = f"/postgres/v0/databases/{made['name']}/credentials", UUID(made["id"])
    await house.client.post(path, json={"name": "leaving"})
    databases.fails = AWAY
    assert (await house.client.delete(f"{path}/leaving")).status_code == 503
    databases.fails = AWAY
    assert (await house.client.post(path, json={"name": "coming"})).status_code == 503
    for older_s, found in ((3600.0, ["default", "coming", "leaving"]), (0.0, ["default", "coming"])):
        await finish_credentials(databases=databases, suppliers=house.platform.suppliers, older_s=older_s, **releasing(house.platform))
        assert [each["name"] for each in (await house.client.get(path)).json()] == found
    assert databases.passwords.keys() == {(id, "coming")}


async def test_a_database_over_its_plan_is_read_only_and_says_so_until_it_is_smaller(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "full", "essential-0")
    id, loop = UUID(made["id"]), _loop(house, databases)
    assert await loop.round() is False
    databases.sizes[id] = GIB - 1000
    assert await loop.round() is True  # nearly full: it is looked at more often
    assert databases.access.get(id, Access.OPEN) is Access.OPEN
    databases.sizes[id] = GIB + 1000
    await loop.round()
    assert databases.access[id] is Access.READ_ONLY
    assert "app[heroku-postgres]: " + made["name"] in await _log(house, "full") and "read-only" in await _log(house, "full")
    rows = (await house.client.get(f"/client/v11/databases/{id}")).json()["info"]
    assert "Read-only" in next(row["values"][0] for row in rows if row["name"] == "Status")
    await loop.round()
    assert (await _log(house, "full")).count("it is read-only now") == 1
    databases.sizes[id] = GIB + GIB // 2
    await _loop(house, databases).round()  # after a restart it stands where it stood
    assert databases.access[id] is Access.READ_ONLY
    await loop.round()
    assert databases.access[id] is Access.LOCKED and "refused" in await _log(house, "full")
    databases.sizes[id] = GIB // 2
    await loop.round()
    assert databases.access[id] is Access.OPEN and "written to again" in await _log(house, "full")


async def test_without_databases_the_server_is_not_asked_and_hogs_are_told_of(house: House, databases: ScriptedDatabases) -> None:
    loop = _loop(house, databases)
    await loop.round()
    assert databases.done == []
    made = await _database(house, "hog")
    databases.hogs = {UUID(made["id"]): 2}
    await loop.round()
    assert "ended 2 statement(s)" in await _log(house, "hog")


async def test_a_diagnosis_is_of_the_named_database_and_can_be_seen_again(house: House, databases: ScriptedDatabases) -> None:
    await _database(house, "ill")
    body = {"app": "ill", "database": "DATABASE_URL", "plan": "standard-0", "url": "postgres://x@10.9.9.9/y", "metrics": []}
    report = (await house.client.post("/reports", json=body)).json()
    assert [(check["name"], check["status"]) for check in report["checks"]] == [("Connection Count", "green"), ("Long Queries", "yellow")]
    assert (await house.client.get(f"/reports/{report['id']}")).json() == report
    stranger = await house.person("other@example.com")
    assert (await stranger.client.get(f"/reports/{report['id']}")).status_code == 404
    assert (await stranger.client.post("/reports", json=body)).status_code == 404


async def test_settings_are_shown_and_set(house: House, databases: ScriptedDatabases) -> None:
    made = await _database(house, "set")
    shown = (await house.client.get(f"/postgres/v0/databases/{made['id']}/config")).json()
    assert (shown["log_min_duration_statement"]["value"], shown["log_lock_waits"]["value"]) == (-1, False)
    await house.client.patch(f"/postgres/v0/databases/{made['id']}/config", json={"track_functions": "all"})
    assert databases.done[-1] == ("set", "track_functions", "all")
