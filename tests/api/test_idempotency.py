"""Writes repeated under the same Request-Id are done once, also at the same moment, also across a restart."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select

from house import House, eventually
from senryu.api.idempotency import Idempotency
from senryu.core import limits
from senryu.core.errors import Unavailable
from senryu.store import idempotent_answers as store
from senryu.store.account_tables import idempotent_answers


def ids(id: str | None = None) -> dict[str, str]:
    return {"Request-Id": id or str(uuid4())}


async def apps(house: House) -> list[str]:
    return sorted(app["name"] for app in (await house.client.get("/apps")).json())


async def test_a_write_repeated_gets_the_first_answer_and_is_done_once(house: House) -> None:
    headers = ids("b1946ac9,older,oldest")
    first = await house.client.post("/apps", json={}, headers=headers)
    again = [await house.client.post("/apps", json={}, headers=headers) for _ in range(3)]
    assert first.status_code == 201
    assert "idempotent-replay" not in first.headers
    for answer in again:
        assert (answer.status_code, answer.content) == (201, first.content)
        assert answer.headers["idempotent-replay"] == "true"
        assert answer.headers["content-type"] == first.headers["content-type"]
    assert await apps(house) == [first.json()["name"]]
    other = await house.client.post("/apps", json={}, headers=ids())
    assert other.json()["name"] != first.json()["name"]


async def test_what_differs_in_anything_is_another_write(house: House) -> None:
    stranger = await house.person("stranger@example.com")
    headers = ids()
    await house.client.post("/apps", json={"name": "first"}, headers=headers)
    assert (await house.client.post("/apps", json={"name": "second"}, headers=headers)).json()["name"] == "second"
    assert (await stranger.client.post("/apps", json={"name": "first"}, headers=headers)).status_code == 422
    assert (await house.client.patch("/apps/first", json={"maintenance": True}, headers=headers)).json()["maintenance"] is True
    assert (await house.client.patch("/apps/second", json={"maintenance": True}, headers=headers)).json()["name"] == "second"
    assert (await house.client.delete("/apps/second", headers=headers)).status_code == 200
    assert (await house.client.delete("/apps/second", headers=headers)).status_code == 200
    assert (await house.client.delete("/apps/second", headers=ids())).status_code == 404


async def test_the_same_write_at_the_same_moment_waits_for_the_first(house: House) -> None:
    headers = ids()
    answers = await asyncio.gather(*(house.client.post("/apps", json={}, headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await apps(house)) == 1
    assert [answer.headers.get("idempotent-replay") for answer in answers].count(None) == 1


async def test_what_had_no_effect_is_tried_again(house: House) -> None:
    headers = ids()
    assert (await house.client.delete("/apps/comes-later", headers=headers)).status_code == 404
    await house.create("comes-later")
    assert (await house.client.delete("/apps/comes-later", headers=headers)).status_code == 200


async def test_reads_and_requests_without_an_id_or_a_token_are_left_alone(house: House) -> None:
    headers = ids()
    await house.create("an-app")
    first = await house.client.get("/apps", headers=headers)
    await house.create("other-app")
    assert (await house.client.get("/apps", headers=headers)).json() != first.json()
    assert len({(await house.client.post("/apps", json={})).json()["name"] for _ in range(2)}) == 2
    assert len({(await house.anyone().post("/auth", json={}, headers=headers)).json()["token"] for _ in range(2)}) == 2


async def test_an_answer_is_kept_for_an_hour(house: House) -> None:
    headers = ids()
    first = await house.client.post("/apps", json={}, headers=headers)
    house.clock.advance(limits.IDEMPOTENCY_S - 10)
    assert (await house.client.post("/apps", json={}, headers=headers)).content == first.content
    house.clock.advance(20)
    assert (await house.client.post("/apps", json={}, headers=headers)).json()["name"] != first.json()["name"]


async def test_answers_survive_the_process_and_their_secrets_are_sealed(house: House) -> None:
    headers = ids()
    first = await house.client.post("/oauth/authorizations", json={}, headers=headers)
    token = first.json()["access_token"]["token"]
    async with house.db.reading() as tx:
        stored = str((await tx.execute(select(idempotent_answers))).all())
    assert token not in stored
    assert house.owner.token not in stored
    fresh = Idempotency(lambda *_: _never())  # a process that knows nothing: whatever it answers is from the database
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/oauth/authorizations",
        "raw_path": b"/oauth/authorizations",
        "query_string": b"",
        "app": house.api,
        "headers": [(b"authorization", f"Bearer {house.owner.token}".encode()), (b"request-id", headers["Request-Id"].encode())],
    }
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await fresh(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 201
    assert token.encode() in bytes(sent[1]["body"])  # type: ignore[call-overload]


async def _never() -> None:
    raise AssertionError("it was carried out again")


async def test_a_write_cut_off_after_its_effect_is_not_done_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies(*_: object, **__: object) -> None:
        raise Unavailable("killed")

    headers = ids()
    with monkeypatch.context() as patch:
        patch.setattr("senryu.api.idempotency.keep_answer", dies)
        assert (await house.client.post("/apps", json={}, headers=headers)).status_code == 201
    [name] = await apps(house)
    again = await house.client.post("/apps", json={}, headers=headers)
    assert (again.status_code, again.json()["id"]) == (409, "conflict")
    assert "may have taken effect" in again.json()["message"]
    assert await apps(house) == [name]


async def test_a_write_whose_change_is_undone_leaves_no_note(house: House) -> None:
    await house.create("taken")
    headers = ids()
    assert (await house.client.post("/apps", json={"name": "taken"}, headers=headers)).status_code == 422
    await house.client.delete("/apps/taken")
    assert (await house.client.post("/apps", json={"name": "taken"}, headers=headers)).status_code == 201


async def test_a_build_that_goes_on_after_its_answer_is_begun_once(house: House) -> None:
    await house.create("built")
    blob = (await house.client.post("/sources")).json()["source_blob"]
    from house import tarball

    await house.anyone().put(blob["put_url"], content=tarball({"Procfile": "web: serve"}))
    headers, body = ids(), {"source_blob": {"url": blob["get_url"]}}
    answers = await asyncio.gather(*(house.client.post("/apps/built/builds", json=body, headers=headers) for _ in range(4)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    await eventually(lambda: len(house.builder.orders) == 1)
    await house.settle("built")
    assert len((await house.client.get("/apps/built/builds")).json()) == 1


async def test_what_is_kept_is_bounded(house: House) -> None:
    async with house.db.transaction() as tx:
        for number in range(20):
            house.clock.advance(1)
            await store.mark_begun(tx, str(number), house.clock.now())
        await store.prune_answers(tx, house.clock.now(), most=1000)
        left = (await tx.execute(select(idempotent_answers))).all()
        assert len(left) <= 1
        for number in range(20):
            house.clock.advance(1)
            await store.mark_begun(tx, str(number), house.clock.now())
        await store.prune_answers(tx, house.clock.now().replace(year=2000), most=5)
        assert len((await tx.execute(select(idempotent_answers))).all()) == 5


async def test_a_large_body_goes_through_and_is_refused_as_ever(house: House) -> None:
    await house.create("target")
    answer = await house.client.patch("/apps/target/config-vars", content=b"x" * (3 * limits.MIB), headers=ids())
    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")
