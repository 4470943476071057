"""Backups from the first to the last day: captured, scheduled, kept by plan, handed out, restored; programs and databases are made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from house import House, eventually
from senryu.actions.fork_database import abandon, moment_of
from senryu.actions.keep_backups import KeptHistory, begin_due, prune
from senryu.actions.transfers import Transfers
from senryu.api.parts import releasing
from senryu.core.archive import ArchivePrograms, DatabaseAddress, Movable
from senryu.core.errors import Invalid
from senryu.core.limits import SCHEDULES_PER_DATABASE_MAX
from senryu.providers.postgres import SERVICE
from stand_ins import ScriptedSupplier

_HERE = DatabaseAddress("", 5432, "d1", "u1", "secret")


class ScriptedPrograms:
    """An archive is the name of its database; `gate` holds dumps, `fails` ends restores."""

    def __init__(self) -> None:
        self.gate: asyncio.Event | None = None
        self.fails = False
        self.restored: list[tuple[str, bytes]] = []

    async def dump(
        self, source: DatabaseAddress, extensions: Sequence[str] | None, said: Callable[[Sequence[str]], None]
    ) -> AsyncIterator[bytes]:
        said(["pg_dump: dumping contents of table"])
        yield b"PGDMP"
        if self.gate is not None:
            await self.gate.wait()
        yield source.database.encode()

    async def entries(self, archive: AsyncIterator[bytes]) -> str:
        return "".join([chunk.decode() async for chunk in archive])

    async def restore(
        self, target: DatabaseAddress, archive: AsyncIterator[bytes], entries: str, said: Callable[[Sequence[str]], None], *, clean: bool
    ) -> int:
        if self.fails:
            raise Invalid("The restore failed: input file is too short")
        self.restored.append((target.database, b"".join([chunk async for chunk in archive])))
        return 0


class ScriptedDatabases:
    """Databases that are their names."""

    def __init__(self) -> None:
        self.tidied: list[UUID] = []
        self.placed: list[UUID] = []
        self.days: list[int] = []
        self.keeps_history = True

    async def address(self, url: str) -> DatabaseAddress:
        return replace(_HERE, database=url.rpartition("/")[2])

    async def measured(self, id: UUID) -> tuple[int, Sequence[str]]:
        return 4096, ()

    async def make_room(self, id: UUID, transfer_id: UUID, address: DatabaseAddress, extensions: Sequence[str]) -> DatabaseAddress:
        return replace(address, database=f"room-of-{address.database}")

    async def room_bytes(self, transfer_id: UUID) -> int:
        return 4096

    async def put_in_place(self, id: UUID, transfer_id: UUID) -> None:
        self.placed.append(id)

    async def tidy(self, id: UUID, transfer_id: UUID) -> None:
        self.tidied.append(transfer_id)

    async def rewound(self, id: UUID, transfer_id: UUID, at: datetime) -> DatabaseAddress:
        return replace(_HERE, database=f"then-{at:%H}")

    async def history_bytes(self) -> int:
        return 4096

    async def keep_history(self, days: int) -> None:
        self.days.append(days)


_programs: type[ArchivePrograms] = ScriptedPrograms
_movable: type[Movable] = ScriptedDatabases


class Stage:
    """The house with databases that can be backed up."""

    def __init__(self, house: House) -> None:
        self.house, self.programs, self.databases = house, ScriptedPrograms(), ScriptedDatabases()
        supplier = ScriptedSupplier(SERVICE)
        platform = house.platform
        suppliers = {SERVICE.name: supplier}

        async def gone(id: UUID) -> None:
            await abandon(id, suppliers=suppliers, **releasing(platform))

        self.transfers = Transfers(
            platform.db, platform.vault, platform.clock, platform.blobs, platform.supervision, suppliers, self.programs,
            {SERVICE.name: self.databases}, gone,
        )  # fmt: skip
        house.platform = replace(platform, suppliers=suppliers, transfers=self.transfers)
        house.api.state.platform = house.platform

    async def database(self, app: str, plan: str = "essential-0", **config: str) -> dict[str, Any]:
        answer = await self.house.client.post(f"/apps/{app}/addons", json={"plan": f"heroku-postgresql:{plan}", "config": config})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def all(self, app: str) -> list[dict[str, Any]]:
        return list((await self.house.client.get(f"/client/v11/apps/{app}/transfers")).json())

    async def ended(self, app: str, num: int) -> dict[str, Any]:
        async def look() -> Any:
            return next((each for each in await self.all(app) if each["num"] == num and each["finished_at"]), None)

        return dict(await eventually(look, f"the end of {num}"))

    async def capture(self, database: str, **expected: Any) -> dict[str, Any]:
        answer = await self.house.client.post(f"/client/v11/databases/{database}/backups")
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


@pytest.fixture
def stage(house: House) -> Stage:
    return Stage(house)


async def test_a_backup_is_listed_handed_out_restored_and_deleted(stage: Stage) -> None:
    house = stage.house
    await house.create("shop")
    made = await stage.database("shop")
    begun = await stage.capture(made["id"])
    assert (begun["num"], begun["from_type"], begun["to_type"], begun["from_name"]) == (1, "pg_dump", "gof3r", "DATABASE")
    done = await stage.ended("shop", 1)
    assert (done["succeeded"], done["source_bytes"], done["processed_bytes"]) == (True, 4096, 5 + len(made["id"]))
    verbose = await house.client.get("/client/v11/apps/shop/transfers/b001?verbose=true")
    assert verbose.json()["logs"][0]["message"] == "pg_dump: dumping contents of table"
    link = (await house.client.post("/client/v11/apps/shop/transfers/1/actions/public-url")).json()["url"]
    assert link.startswith("https://")
    path = link.partition("/senryu/")[2]
    got = await house.anyone().get(f"/senryu/{path}")
    assert (got.content, got.headers["content-length"]) == (b"PGDMP" + made["id"].encode(), str(len(got.content)))
    house.clock.advance(3601)
    assert (await house.anyone().get(f"/senryu/{path}")).status_code == 404

    body = {"backup_url": done["to_url"]}
    assert (await house.client.post(f"/client/v11/databases/{made['id']}/restores", json=body)).status_code == 201
    assert (await stage.ended("shop", 2))["succeeded"] is True
    assert stage.programs.restored == [(f"room-of-{made['id']}", got.content)]
    assert stage.databases.placed == [UUID(made["id"])]
    assert (await house.client.delete("/client/v11/apps/shop/transfers/b001")).status_code == 200
    assert await house.platform.blobs.keys("backups/") == []


async def test_a_stranger_gets_nothing_of_a_backup(stage: Stage) -> None:
    house = stage.house
    await house.create("mine")
    made = await stage.database("mine")
    await stage.capture(made["id"])
    done = await stage.ended("mine", 1)
    stranger = await house.person("stranger@example.com")
    await stranger.client.post("/apps", json={"name": "theirs"})
    theirs = (await stranger.client.post("/apps/theirs/addons", json={"plan": "heroku-postgresql"})).json()
    for path in (f"/client/v11/databases/{made['id']}/backups", "/client/v11/apps/mine/transfers/1/actions/public-url"):
        assert (await stranger.client.post(path)).status_code == 404
    stolen = await stranger.client.post(f"/client/v11/databases/{theirs['id']}/restores", json={"backup_url": done["to_url"]})
    assert stolen.status_code == 404
    config = (await house.client.get("/apps/mine/config-vars")).json()
    body = {"from_url": config["DATABASE_URL"], "to_url": (await stranger.client.get("/apps/theirs/config-vars")).json()["DATABASE_URL"]}
    assert (await stranger.client.post(f"/client/v11/databases/{theirs['id']}/transfers", json=body)).status_code == 404
    for private in ("http://127.0.0.1/x.dump", "http://10.64.0.1/x.dump", "http://169.254.169.254/latest"):
        refused = await stranger.client.post(f"/client/v11/databases/{theirs['id']}/restores", json={"backup_url": private})
        assert refused.status_code == 422 and "private network" in refused.json()["message"]
    assert (await stranger.client.get("/client/v11/apps/theirs/transfers")).json() == []
    elsewhere = {**body, "from_url": "postgres://u:p@127.0.0.1:5432/senryu"}
    assert (await stranger.client.post(f"/client/v11/databases/{theirs['id']}/transfers", json=elsewhere)).status_code == 422
    itself = await house.client.post(f"/client/v11/databases/{made['id']}/transfers", json={**body, "to_url": body["from_url"]})
    assert "onto itself" in itself.json()["message"]


@pytest.mark.parametrize("broken", ["//[x", "//[::1", "//a\u2100b/c"])
async def test_an_address_that_is_none_is_refused_as_such(stage: Stage, broken: str) -> None:
    await stage.house.create("shop")
    made, client = await stage.database("shop"), stage.house.client
    restores = await client.post(f"/client/v11/databases/{made['id']}/restores", json={"backup_url": f"https:{broken}"})
    assert (restores.status_code, "address" in restores.json()["message"]) == (422, True)
    body = {"from_url": f"postgres:{broken}", "to_url": (await client.get("/apps/shop/config-vars")).json()["DATABASE_URL"]}
    copies = await client.post(f"/client/v11/databases/{made['id']}/transfers", json=body)
    assert (copies.status_code, "is named like postgres://" in copies.json()["message"]) == (422, True)


async def test_a_database_with_all_its_schedules_may_change_one_of_them(stage: Stage) -> None:
    await stage.house.create("daily")
    path = f"/client/v11/databases/{(await stage.database('daily'))['id']}/transfer-schedules"
    for number in range(SCHEDULES_PER_DATABASE_MAX):
        assert (await stage.house.client.post(path, json={"hour": 1, "schedule_name": f"S{number}"})).status_code == 201
    assert (await stage.house.client.post(path, json={"hour": 1, "schedule_name": "MORE"})).status_code == 409
    assert (await stage.house.client.post(path, json={"hour": 2, "schedule_name": "S0"})).status_code == 201
    hours = {each["name"]: each["hour"] for each in (await stage.house.client.get(path)).json()}
    assert len(hours) == SCHEDULES_PER_DATABASE_MAX and hours["S0"] == 2


async def test_a_schedule_begins_one_backup_a_day_and_one_for_all_it_missed(stage: Stage) -> None:
    house = stage.house
    await house.create("daily")
    made = await stage.database("daily")
    path = f"/client/v11/databases/{made['id']}/transfer-schedules"
    asked = {"hour": "02", "timezone": "Europe/Paris", "schedule_name": "DATABASE_URL"}
    assert (await house.client.post(path, json=asked)).status_code == 201
    assert (await house.client.post(path, json={**asked, "hour": 3})).status_code == 201
    [schedule] = (await house.client.get(path)).json()
    assert (schedule["hour"], schedule["timezone"], schedule["name"]) == (3, "Europe/Paris", "DATABASE_URL")
    for wrong in ({"hour": 24}, {"hour": "x"}, {"hour": 1, "timezone": "Mars/Olympus"}, {"hour": 1, "timezone": "../../etc/passwd"}):
        assert (await house.client.post(path, json=wrong)).status_code == 422
    await begin_due(stage.transfers)
    assert await stage.all("daily") == []
    house.clock.advance(5 * 86400)
    await begin_due(stage.transfers)
    await begin_due(stage.transfers)
    done = await stage.ended("daily", 1)
    assert (len(await stage.all("daily")), done["schedule"]) == (1, {"name": "DATABASE_URL"})
    house.clock.advance(86400)
    await begin_due(stage.transfers)
    await stage.ended("daily", 2)
    assert (await house.client.delete(f"{path}/{schedule['uuid']}")).status_code == 200
    house.clock.advance(86400)
    await begin_due(stage.transfers)
    assert len(await stage.all("daily")) == 2


async def test_plans_bound_what_is_kept_and_a_backup_outlives_its_database_for_a_month(stage: Stage) -> None:
    house = stage.house
    await house.create("many")
    made = await stage.database("many")
    for num in range(1, 13):
        await stage.capture(made["id"])
        await stage.ended("many", num)
        house.clock.advance(60)
    await house.platform.blobs.put("backups/of-nobody.dump", _bytes(b"left"), max_bytes=9)
    await prune(stage.transfers)
    assert [each["num"] for each in await stage.all("many")] == list(range(3, 13))
    assert len(await house.platform.blobs.keys("backups/")) == 10
    await house.client.request("DELETE", f"/apps/many/addons/{made['id']}", json={"force": True})
    house.clock.advance(29 * 86400)
    await prune(stage.transfers)
    assert len(await stage.all("many")) == 10
    house.clock.advance(2 * 86400)
    await prune(stage.transfers)
    assert (await stage.all("many"), await house.platform.blobs.keys("backups/")) == ([], [])


async def _bytes(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_one_under_way_can_be_canceled_or_is_failed_by_the_next_start(stage: Stage) -> None:
    house = stage.house
    await house.create("slow")
    made = await stage.database("slow")
    stage.programs.gate = asyncio.Event()
    await stage.capture(made["id"])
    assert (await house.client.post(f"/client/v11/databases/{made['id']}/backups")).status_code == 409
    assert (await house.client.delete("/client/v11/apps/slow/transfers/1")).status_code == 409
    canceled = (await house.client.post("/client/v11/apps/slow/transfers/b001/actions/cancel")).json()
    assert canceled["canceled_at"] and canceled["finished_at"] and canceled["succeeded"] is False
    await stage.capture(made["id"])
    await house.restart()
    house.clock.advance(1)
    await stage.transfers.recover()
    ended = await stage.ended("slow", 2)
    assert (ended["succeeded"], ended["canceled_at"]) == (False, None)
    stage.programs.gate = None
    assert await house.platform.blobs.keys("backups/") == []


async def test_a_fork_is_filled_or_taken_away(stage: Stage) -> None:
    house = stage.house
    await house.create("fork")
    first = await stage.database("fork", "standard-0")
    forked = await stage.database("fork", "standard-0", fork="DATABASE")
    assert (await stage.ended("fork", 1))["succeeded"] is True
    assert stage.programs.restored[-1] == (f"room-of-{forked['id']}", b"PGDMP" + first["id"].encode())
    at = (house.clock.now() - timedelta(hours=1)).isoformat()
    for options, words in (
        ({"rollback": "DATABASE"}, "needs a time"),
        ({"to": at}, "--rollback"),
        ({"fork": "NOTHING"}, "Couldn't find"),
        ({"rollback": "DATABASE", "to": "yesterday"}, "is no time"),
    ):
        refused = await house.client.post("/apps/fork/addons", json={"plan": "heroku-postgresql:standard-0", "config": options})
        assert refused.status_code in (404, 422) and words in refused.json()["message"], refused.text
    small = await house.client.post("/apps/fork/addons", json={"plan": "heroku-postgresql:essential-0", "config": {"fork": "DATABASE"}})
    assert "standard plan" in small.json()["message"]
    stage.programs.fails = True
    lost = await stage.database("fork", "standard-0", fork="DATABASE")
    assert (await stage.ended("fork", 2))["succeeded"] is False
    assert lost["id"] not in [each["id"] for each in (await house.client.get("/apps/fork/addons")).json()]
    assert not set(lost["config_vars"]) & set((await house.client.get("/apps/fork/config-vars")).json())


async def test_the_operator_sees_what_it_takes(stage: Stage) -> None:
    house = stage.house
    await house.create("seen")
    made = await stage.database("seen", "standard-0")
    gone = await stage.database("seen")
    for num, each in enumerate((made, gone), 1):
        await stage.capture(each["id"])
        await stage.ended("seen", num)
    await house.client.request("DELETE", f"/apps/seen/addons/{gone['id']}", json={"force": True})
    assert (await house.client.get("/senryu/data-usage")).status_code == 403
    found = (await house.operator.client.get("/senryu/data-usage")).json()
    [row] = found["databases"]
    assert (row["name"], row["app"], row["plan"], row["backup_bytes"]) == (made["name"], "seen", "heroku-postgresql:standard-0", 41)
    assert (found["backup_bytes_of_gone"], found["history_bytes"]) == (41, 4096)


async def test_history_is_kept_while_a_plan_can_go_back_to_it(stage: Stage) -> None:
    house = stage.house
    await house.create("past")
    kept = KeptHistory(stage.transfers)
    await kept.look()
    await eventually(lambda: stage.databases.days == [0])
    made = await stage.database("past", "standard-0")
    await kept.look()
    await kept.look()
    await eventually(lambda: stage.databases.days == [0, 4])
    house.clock.advance(86401)
    await kept.look()
    await eventually(lambda: stage.databases.days == [0, 4, 4])
    await house.client.request("DELETE", f"/apps/past/addons/{made['id']}", json={"force": True})
    await kept.look()
    await eventually(lambda: stage.databases.days == [0, 4, 4, 0])


def test_a_rollbacks_time_is_understood_or_refused() -> None:
    now = datetime.fromisoformat("2026-05-05T12:00:00+00:00")
    assert moment_of("2026-05-05 10:00", "", now, 4).isoformat() == "2026-05-05T10:00:00+00:00"
    assert moment_of("2026-05-05 10:00+02:00", "", now, 4).isoformat() == "2026-05-05T10:00:00+02:00"
    assert moment_of("", "1 day 2 hours", now, 4).isoformat() == "2026-05-04T10:00:00+00:00"
    for to, by in (("2026-04-01", ""), ("2026-05-05 12:00:01", ""), ("then", ""), ("", "long ago"), ("", "99999999 days")):
        with pytest.raises(Invalid):
            moment_of(to, by, now, 4)
