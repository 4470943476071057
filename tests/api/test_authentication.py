"""Tokens, passwords, registration, and how often one may ask."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

import pytest

from house import House
from senryu.api.auth import Allowance, credentials
from senryu.core.errors import Unauthorized
from senryu.core.limits import API_CALLS_PER_HOUR
from senryu.store.tables import accounts, authorizations


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def test_every_form_clients_send_a_token_in_is_taken(house: House) -> None:
    token = house.owner.token
    forms = (f"Bearer {token}", f"bearer {token}", _basic(f":{token}"), _basic(f"heroku:{token}"), _basic(f"app:{token}"), _basic(token))
    for header in forms:
        answer = await house.anyone(header=header).get("/account")
        assert answer.status_code == 200, header
        assert answer.json()["email"] == "owner@example.com"


NOBODY = ("", "Bearer", "Bearer ", "Basic", "Basic !!!", "Basic Og==", "Digest x", "Bearer x y", "Basic \xe9", "Basic /w==", "token")


async def test_a_header_that_names_nobody_is_401_and_says_what_to_send(house: House) -> None:
    for header in (*NOBODY, "Basic " + "A" * 9000):
        answer = await house.anyone().get("/account", headers={b"Authorization": header.encode("latin-1")})
        assert answer.status_code == 401, header
        assert answer.json()["id"] == "unauthorized"
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("header", ["Basic \xe9", "Basic", "Nothing x"])
def test_credentials_that_cannot_be_read_are_refused_not_stumbled_over(header: str) -> None:
    with pytest.raises(Unauthorized):
        credentials(header)


async def test_a_revoked_token_is_worth_nothing_at_once(house: House) -> None:
    made = (await house.client.post("/oauth/authorizations", json={"description": "laptop"})).json()
    laptop = house.anyone(made["access_token"]["token"])
    assert (await laptop.get("/account")).status_code == 200
    assert (await house.client.delete(f"/oauth/authorizations/{made['id']}")).status_code == 200
    assert (await laptop.get("/account")).status_code == 401
    assert (await house.client.delete(f"/oauth/authorizations/{made['id']}")).status_code == 404


async def test_a_regenerated_token_replaces_the_old_one(house: House) -> None:
    made = (await house.client.post("/oauth/authorizations", json={"expires_in": 3600})).json()
    path = f"/oauth/authorizations/{made['id']}/actions/regenerate-tokens"
    fresh = (await house.client.post(path)).json()
    assert (await house.anyone(made["access_token"]["token"]).get("/account")).status_code == 401
    assert (await house.anyone(fresh["access_token"]["token"]).get("/account")).status_code == 200
    assert fresh["access_token"]["expires_in"] > 3500


async def test_logging_out_ends_the_token_that_asks(house: House) -> None:
    assert (await house.client.delete("/oauth/sessions/~")).status_code == 200
    assert (await house.client.get("/account")).status_code == 401


async def test_lists_show_tokens_masked(house: House) -> None:
    made = (await house.client.post("/oauth/authorizations", json={})).json()["access_token"]["token"]
    listed = (await house.client.get("/oauth/authorizations")).json()
    assert all("*" * 10 in each["access_token"]["token"] for each in listed)
    assert made not in str(listed)


async def test_the_database_holds_neither_tokens_nor_passwords(house: House) -> None:
    await _register(house, password="correct horse battery")
    async with house.db.reading() as tx:
        stored = str((await tx.execute(accounts.select())).all()) + str((await tx.execute(authorizations.select())).all())
    assert house.owner.token not in stored
    assert "correct horse" not in stored
    assert "$argon2id$" in stored


async def _register(house: House, email: str = "new@example.com", password: str = "long enough", **body: str) -> int:
    await house.operator.client.patch("/senryu/registration", json={"open": True})
    answer = await house.anyone().post("/senryu/registrations", json={"email": email, "password": password, **body})
    await house.operator.client.patch("/senryu/registration", json={"open": False})
    return answer.status_code


async def test_logging_in_with_a_password_gives_a_token(house: House) -> None:
    await _register(house)
    body = {"description": "login", "expires_in": 2592000, "scope": ["global"]}
    answer = await house.anyone(header=_basic("New@Example.com:long enough")).post("/oauth/authorizations", json=body)
    assert answer.status_code == 201
    assert answer.json()["user"]["email"] == "new@example.com"
    me = await house.anyone(answer.json()["access_token"]["token"]).get("/account")
    assert me.json()["last_login"] is not None


async def test_a_wrong_password_and_an_unknown_address_are_told_the_same(house: House) -> None:
    await _register(house)
    wrong = await house.anyone(header=_basic("new@example.com:wrong")).post("/oauth/authorizations", json={})
    unknown = await house.anyone(header=_basic("nobody@example.com:wrong")).post("/oauth/authorizations", json={})
    nul = await house.anyone(header=_basic("no\0body@example.com:wrong")).post("/oauth/authorizations", json={})
    assert wrong.status_code == unknown.status_code == nul.status_code == 401
    assert wrong.json() == unknown.json() == nul.json()


async def test_an_unknown_address_costs_the_same_work_as_a_wrong_password(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await _register(house)
    hashes: list[str] = []

    def counted(password_hash: str, password: str) -> bool:
        hashes.append(password_hash.rpartition("$")[0].rpartition("$")[0])  # the algorithm and its parameters
        return False

    monkeypatch.setattr("senryu.actions.authenticate._verify", counted)
    for email in ("new@example.com", "nobody@example.com"):
        answer = await house.anyone(header=_basic(f"{email}:wrong")).post("/oauth/authorizations", json={})
        assert answer.status_code == 401
    known, unknown = hashes
    assert known == unknown
    assert known.startswith("$argon2id$")


async def test_a_password_works_for_nothing_but_making_tokens(house: House) -> None:
    await _register(house)
    assert (await house.anyone(header=_basic("new@example.com:long enough")).get("/account")).status_code == 401


async def test_a_changed_password_is_the_one_that_works(house: House) -> None:
    await _register(house)
    token = (await house.anyone(header=_basic("new@example.com:long enough")).post("/oauth/authorizations", json={})).json()
    client = house.anyone(token["access_token"]["token"])
    assert (await client.patch("/account", json={"password": "wrong", "new_password": "something else"})).status_code == 401
    assert (await client.patch("/account", json={"password": "long enough", "new_password": "short"})).status_code == 422
    changed = await client.patch("/account", json={"password": "long enough", "new_password": "something else"})
    assert changed.status_code == 200
    assert changed.json()["last_login"] is not None
    for password, status in (("long enough", 401), ("something else", 201)):
        login = house.anyone(header=_basic(f"new@example.com:{password}"))
        assert (await login.post("/oauth/authorizations", json={})).status_code == status


async def test_registration_is_closed_after_the_first_account(house: House) -> None:
    answer = await house.anyone().post("/senryu/registrations", json={"email": "late@example.com", "password": "long enough"})
    assert answer.status_code == 403
    assert "ask its operator" in answer.json()["message"]


async def test_the_first_account_is_the_operator_and_only_it(house: House) -> None:
    async with house.db.transaction() as tx:
        await tx.execute(authorizations.delete())
        await tx.execute(accounts.delete())
    answers = await asyncio.gather(
        *(house.anyone().post("/senryu/registrations", json={"email": f"{n}@example.com", "password": "long enough"}) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
    [first] = [answer.json() for answer in answers if answer.status_code == 201]
    assert first["is_operator"] is True
    assert (await house.anyone(first["access_token"]["token"]).get("/account")).json()["email"] == first["email"]


async def test_an_invitation_lets_one_address_in_once(house: House) -> None:
    invited = await house.operator.client.post("/senryu/invitations", json={"email": "Guest@example.com"})
    code = invited.json()["invitation"]

    async def register(email: str, invitation: str) -> int:
        body = {"email": email, "password": "long enough", "invitation": invitation}
        return (await house.anyone().post("/senryu/registrations", json=body)).status_code

    assert await register("other@example.com", code) == 403
    assert await register("guest@example.com", "wrong") == 403
    assert await register("guest@example.com", code) == 201
    assert await register("guest@example.com", code) == 403


async def test_the_operator_opens_and_closes_registration_and_makes_accounts(house: House) -> None:
    assert await _register(house, "one@example.com") == 201
    assert await _register(house, "one@example.com") == 422
    body = {"email": "two@example.com", "password": "long enough"}
    assert (await house.operator.client.post("/senryu/registrations", json=body)).status_code == 201
    assert (await house.client.post("/senryu/registrations", json={**body, "email": "three@example.com"})).status_code == 403


async def test_an_address_that_is_none_is_refused(house: House) -> None:
    for email in ("", "x", "a@b c", "a\0@b.test", "@", "x" * 300 + "@y.test", "a@b@c"):
        assert await _register(house, email) == 422


async def test_calls_are_counted_and_the_rest_is_said(house: House) -> None:
    first = await house.client.get("/account")
    second = await house.client.get("/account")
    assert int(first.headers["ratelimit-remaining"]) - int(second.headers["ratelimit-remaining"]) == 1
    rest = (await house.client.get("/account/rate-limits")).json()["remaining"]
    assert rest == int(second.headers["ratelimit-remaining"]) - 1


async def test_a_token_that_asks_too_often_is_told_to_wait_and_others_are_not(house: House) -> None:
    allowance: Allowance = house.api.state.allowance
    await house.client.get("/account")
    [key] = allowance._used
    for _ in range(API_CALLS_PER_HOUR):
        allowance.take(key, house.clock.monotonic())
    answer = await house.client.get("/account")
    assert (answer.status_code, answer.json()["id"]) == (429, "rate_limit")
    assert answer.headers["retry-after"]
    assert (await house.operator.client.get("/account")).status_code == 200
    house.clock.advance(60)
    assert (await house.client.get("/account")).status_code == 200


def test_the_allowance_refills_over_an_hour_and_forgets_the_oldest() -> None:
    allowance = Allowance(most=2)
    for _ in range(API_CALLS_PER_HOUR):
        allowance.take("a", 0.0)
    assert allowance.take("a", 0.0) == -1
    assert allowance.left("a", 3600.0) == API_CALLS_PER_HOUR
    for key in ("b", "c"):
        allowance.take(key, 1.0)
    assert allowance.left("a", 1.0) == API_CALLS_PER_HOUR


async def test_request_ids_and_accounts_are_uuids(house: House) -> None:
    assert UUID((await house.client.get("/account")).json()["id"]) == house.owner.account.id
