"""Request-Id, ETag, Content-Type, and bodies nobody should send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from itertools import product
from uuid import UUID

import pytest

from house import House


async def test_the_request_ids_a_client_sends_come_back_behind_our_own(house: House) -> None:
    answer = await house.client.get("/account", headers={"Request-Id": "aaa,bbb"})
    own, *theirs = answer.headers["request-id"].split(",")
    assert UUID(own)
    assert theirs == ["aaa", "bbb"]


@pytest.mark.parametrize("given", ["x" * 7000, "", "x" * 8000])
async def test_request_ids_of_any_length_are_taken(house: House, given: str) -> None:
    answer = await house.client.get("/account", headers={"Request-Id": given})
    assert answer.status_code == 200
    assert UUID(answer.headers["request-id"].split(",")[0])


async def test_errors_have_a_request_id_too(house: House) -> None:
    for path in ("/apps/nothing-here", "/no/such/path"):
        assert UUID((await house.client.get(path)).headers["request-id"])


async def test_a_client_that_has_the_answer_gets_304_and_no_body(house: House) -> None:
    await house.create("tagged")
    first = await house.client.get("/apps/tagged")
    tag = first.headers["etag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await house.client.get("/apps/tagged", headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b""), sent
        assert again.headers["etag"] == tag
    await house.client.patch("/apps/tagged", json={"maintenance": True})
    changed = await house.client.get("/apps/tagged", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_a_tag_does_not_tell_strangers_anything(house: House) -> None:
    await house.create("tagged")
    tag = (await house.client.get("/apps/tagged")).headers["etag"]
    stranger = await house.person("stranger@example.com")
    assert (await stranger.client.get("/apps/tagged", headers={"If-None-Match": tag})).status_code == 404


BAD_BODIES = [
    b"{",
    b"not json",
    b"[]",
    b'"text"',
    b"3",
    b"null",
    b"\xff\xfe{}",
    b'{"name": "\xff"}',
    b'{"name": NaN}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"name": 1' + b"0" * 5000 + b"}",
    b'{"name": "\\ud800"}',
    b'{"name": "' + b"x" * (2 * 1024 * 1024) + b'"}',
]
JSON_ROUTES = [
    ("PATCH", "/account"),
    ("POST", "/apps"),
    ("PATCH", "/apps/target"),
    ("PATCH", "/apps/target/config-vars"),
    ("PATCH", "/apps/target/formation"),
    ("PATCH", "/apps/target/formation/web"),
    ("POST", "/apps/target/builds"),
    ("POST", "/apps/target/slugs"),
    ("POST", "/apps/target/releases"),
    ("POST", "/apps/target/dynos"),
    ("POST", "/apps/target/dynos/web.1"),
    ("POST", "/apps/target/dynos/web.1/actions/resize"),
    ("POST", "/apps/target/log-sessions"),
    ("POST", "/apps/target/domains"),
    ("POST", "/apps/target/collaborators"),
    ("PUT", "/apps/target/buildpack-installations"),
    ("POST", "/apps/target/webhooks"),
    ("POST", "/senryu/two-factor"),
    ("PATCH", "/senryu/two-factor"),
    ("POST", "/oauth/authorizations"),
    ("POST", "/oauth/clients"),
    ("POST", "/oauth/token"),
    ("POST", "/senryu/registrations"),
    ("POST", "/senryu/invitations"),
    ("PATCH", "/senryu/registration"),
    ("POST", "/senryu/stacks"),
    ("PATCH", "/senryu/dyno-sizes/basic"),
    ("PUT", "/senryu/dyno-sizes/basic/allowed"),
    ("PUT", "/senryu/default-dyno-size"),
]


async def test_a_body_that_cannot_be_read_is_refused_in_herokus_form(house: House) -> None:
    await house.create("target")
    await house.deploy("target")
    await house.settle("target")
    for body, (method, path) in product(BAD_BODIES, JSON_ROUTES):
        client = house.operator.client if path.startswith("/senryu") else house.client
        answer = await client.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, (body[:40], answer.text)
        assert {"id", "message"} <= answer.json().keys(), body[:40]


WRONG: list[object] = [None, True, 10**18, "", "\u0000", "é²\u2028", [None], {"a": {"b": []}}]
FIELDS = (
    "name maintenance build_stack stack new_password source_blob process_types release slug commit description env size type attach"
    " stdin columns lines dyno source tail hostname user updates scope expires_in invitation open"
    " url include level secret authorization code grant_type client_secret"
)


def _wrong_bodies() -> Iterator[dict[str, object]]:
    whole = {"email": "a@example.com", "command": "bash", "process_types": {"web": "x"}, "source_blob": {"url": "ftp://x"}}
    for value in WRONG:
        yield {"source_blob": {"url": value, "version": value}, "updates": [{"type": value, "quantity": value, "buildpack": value}]}
        yield dict.fromkeys(FIELDS.split(), value)
    for field in ("env", "size", "type", "attach", "source_blob", "process_types", "lines", "release"):
        yield {**whole, field: [None]}
    yield {"source_blob": {"url": "http://["}, "updates": [{"buildpack": "http://["}]}
    yield {"source_blob": {"url": "http://x:99999/"}, "env": {"COLUMNS": "²", "LINES": "9" * 5000}, "command": "bash"}


async def test_no_value_of_a_wrong_type_breaks_anything(house: House) -> None:
    await house.create("target")
    for method, path in JSON_ROUTES:
        client = house.operator.client if path.startswith("/senryu") else house.client
        for body in _wrong_bodies():
            answer = await client.request(method, path, content=json.dumps(body).encode())
            assert answer.status_code < 500, (path, body, answer.text)
            if answer.status_code >= 400:
                assert {"id", "message"} <= answer.json().keys()


@pytest.mark.parametrize(("chunks", "most"), [(1600, 1600), (100_000, 2100)])
async def test_a_body_of_100_mb_is_thrown_away_and_refused_and_an_endless_one_is_cut(house: House, chunks: int, most: int) -> None:
    await house.create("target")
    sent = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(chunks):
            sent += 1
            yield b"x" * 65536

    for client in (house.client, house.anyone()):
        sent = 0
        answer = await client.patch("/apps/target/config-vars", content=much())
        assert answer.status_code in (400, 401)
        assert {"id", "message"} <= answer.json().keys()
        assert sent <= most


NOWHERE = ("/nowhere", "/apps/a/b/c/d", "/apps//builds", "/APPS", "/apps/x%00y", "/apps/%ff%fe", "/apps/" + "x" * 5000)


@pytest.mark.parametrize("path", NOWHERE)
async def test_a_path_that_leads_nowhere_is_404(house: House, path: str) -> None:
    answer = await house.client.get(path)
    assert answer.status_code == 404
    assert answer.json()["id"] == "not_found"


async def test_a_method_that_is_not_there_is_405(house: House) -> None:
    answer = await house.client.request("BREW", "/apps")
    assert answer.status_code == 405
    assert answer.json()["id"] == "method_not_allowed"
    assert (await house.client.options("/apps")).status_code == 405


@pytest.mark.parametrize("path", ["/apps/target/builds/not-a-uuid", "/apps/target/slugs/xyz"])
async def test_an_id_that_is_none_is_a_4xx(house: House, path: str) -> None:
    await house.create("target")
    assert (await house.client.get(path)).status_code in (400, 404)


async def test_a_bug_is_answered_blandly_with_an_id_to_tell(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(house.engine, "dynos", fails)
    answer = await house.anyone(is_held=False).get("/senryu/health")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["request-id"] in answer.json()["message"]
