"""The OAuth web flow: a client is let in by a person, gets tokens for a code, once, and fresh ones for a refresh token."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from house import House

EMAIL, PASSWORD = "person@example.org", "correct horse battery"
BACK = "https://client.example.com/back?x=1"


@pytest_asyncio.fixture
async def person(house: House) -> httpx.AsyncClient:
    """Somebody with a password; the client is the house owner's."""
    made = await house.operator.client.post("/senryu/registrations", json={"email": EMAIL, "password": PASSWORD})
    return house.anyone(made.json()["access_token"]["token"])


@pytest_asyncio.fixture
async def client(house: House) -> dict[str, Any]:
    return dict((await house.client.post("/oauth/clients", json={"name": "A <Client>", "redirect_uri": BACK})).json())


def asked(client: dict[str, Any], **more: str) -> dict[str, str]:
    return {"client_id": client["id"], "response_type": "code", "scope": "identity read", "state": "s&t", **more}


def led_to(answer: httpx.Response) -> dict[str, str]:
    """Where an answer leads, which must be the registered address."""
    assert answer.status_code == 303, answer.text
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == "https://client.example.com/back"
    return {name: values[-1] for name, values in parse_qs(where.query).items()}


async def allowed(house: House, client: dict[str, Any], **more: str) -> str:
    """The code a person's consent gives."""
    query = asked(client, **more)
    answer = await house.anyone().post("/oauth/authorize", params=query, data={"email": EMAIL, "password": PASSWORD})
    led = led_to(answer)
    assert (led["state"], led["x"]) == ("s&t", "1")
    return led["code"]


async def traded(house: House, client: dict[str, Any], code: str, **more: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "client_secret": client["secret"], **more}
    return await house.anyone().post("/oauth/token", data=form)


async def test_a_person_lets_a_client_in(house: House, person: httpx.AsyncClient, client: dict[str, Any]) -> None:
    page = await house.anyone().get("/oauth/authorize", params=asked(client))
    assert page.status_code == 200
    assert "A &lt;Client&gt;" in page.text
    assert "form-action 'self' https://client.example.com;" in page.headers["content-security-policy"]
    code = await allowed(house, client)
    answer = await traded(house, client, code, client_id=client["id"], redirect_uri=BACK)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    theirs = house.anyone(tokens["access_token"])
    assert (await theirs.get("/account")).json()["email"] == EMAIL
    assert (await theirs.get("/apps")).status_code == 200
    assert (await theirs.post("/apps", json={})).status_code == 403
    [made] = [each for each in (await person.get("/oauth/authorizations")).json() if each["client"]]
    assert made["client"] == {"id": client["id"], "name": "A <Client>", "redirect_uri": BACK}
    assert made["scope"] == ["identity", "read"]
    house.clock.advance(8 * 3600 + 1)
    assert (await theirs.get("/account")).status_code == 401


async def test_a_code_used_twice_takes_back_what_it_gave(house: House, person: httpx.AsyncClient, client: dict[str, Any]) -> None:
    code = await allowed(house, client)
    tokens = (await traded(house, client, code)).json()
    again = await traded(house, client, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await house.anyone(tokens["access_token"]).get("/account")).status_code == 401
    fresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_secret": client["secret"]}
    assert (await house.anyone().post("/oauth/token", data=fresh)).status_code == 400


async def test_a_code_ends_after_five_minutes_and_is_for_its_client_alone(
    house: House, person: httpx.AsyncClient, client: dict[str, Any]
) -> None:
    code = await allowed(house, client)
    other = (await house.client.post("/oauth/clients", json={"name": "other", "redirect_uri": BACK})).json()
    for wrong in ({"client_secret": other["secret"]}, {"client_secret": ""}, {"client_id": other["id"]}):
        answer = await traded(house, client, code, **wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), wrong
    assert (await traded(house, client, code, redirect_uri="https://client.example.com/back")).status_code == 400
    house.clock.advance(301)
    assert (await traded(house, client, code)).json()["error"] == "invalid_grant"
    assert (await traded(house, client, "junk")).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_a_spent_one_ends_everything(
    house: House, person: httpx.AsyncClient, client: dict[str, Any]
) -> None:
    first = (await traded(house, client, await allowed(house, client))).json()

    async def refresh(token: str, **more: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_secret": client["secret"], **more}
        return await house.anyone().post("/oauth/token", data=form)

    house.clock.advance(8 * 3600 + 1)
    assert (await refresh(first["refresh_token"], client_secret="wrong")).status_code == 401
    second = (await refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await house.anyone(first["access_token"]).get("/account")).status_code == 401
    assert (await house.anyone(second["access_token"]).get("/account")).status_code == 200
    spent = await refresh(first["refresh_token"])
    assert (spent.status_code, spent.json()["error"]) == (400, "invalid_grant")
    assert (await house.anyone(second["access_token"]).get("/account")).status_code == 401
    assert (await refresh(second["refresh_token"])).status_code == 400


async def test_a_client_may_prove_itself_by_basic_and_ask_in_json(house: House, person: httpx.AsyncClient, client: dict[str, Any]) -> None:
    code = await allowed(house, client)
    basic = base64.b64encode(f"{client['id']}:{client['secret']}".encode()).decode()
    sent = {"grant_type": "authorization_code", "code": code}
    answer = await house.anyone(header=f"Basic {basic}").post("/oauth/token", json=sent)
    assert answer.status_code == 200, answer.text


async def test_only_the_registered_address_is_led_to(house: House, person: httpx.AsyncClient, client: dict[str, Any]) -> None:
    for wrong in ("https://evil.example.com/", BACK + "&", "https://client.example.com/back", BACK.upper()):
        for method in ("GET", "POST"):
            answer = await house.anyone().request(method, "/oauth/authorize", params=asked(client, redirect_uri=wrong))
            assert answer.status_code == 400, wrong
            assert "location" not in answer.headers
    for unknown in ("", "junk", "00000000-0000-4000-8000-000000000000"):
        assert (await house.anyone().get("/oauth/authorize", params=asked({"id": unknown}))).status_code == 404
    assert await allowed(house, client, redirect_uri=BACK)


@pytest.mark.parametrize(
    ("wrong", "error"), [({"scope": "root"}, "invalid_scope"), ({"response_type": "token"}, "unsupported_response_type")]
)
async def test_what_else_is_wrong_is_told_the_client(house: House, client: dict[str, Any], wrong: dict[str, str], error: str) -> None:
    led = led_to(await house.anyone().get("/oauth/authorize", params=asked(client, **wrong)))
    assert (led["error"], led["state"]) == (error, "s&t")


async def test_a_person_may_refuse_or_mistype(house: House, person: httpx.AsyncClient, client: dict[str, Any]) -> None:
    led = led_to(await house.anyone().post("/oauth/authorize", params=asked(client), data={"refuse": "yes"}))
    assert led["error"] == "access_denied"
    assert "code" not in led
    wrong = await house.anyone().post("/oauth/authorize", params=asked(client), data={"email": EMAIL, "password": "wrong"})
    assert wrong.status_code == 401
    assert "location" not in wrong.headers


async def test_a_client_that_is_destroyed_loses_its_tokens(house: House, person: httpx.AsyncClient, client: dict[str, Any]) -> None:
    tokens = (await traded(house, client, await allowed(house, client))).json()
    assert (await house.client.delete(f"/oauth/clients/{client['id']}")).status_code == 200
    assert (await house.anyone(tokens["access_token"]).get("/account")).status_code == 401


@pytest.mark.parametrize(
    "form", [{}, {"grant_type": "password"}, {"grant_type": "refresh_token"}, {"grant_type": "authorization_code", "code": "é\u0000"}]
)
async def test_a_request_for_tokens_that_is_none_is_refused_in_both_forms(house: House, form: dict[str, str]) -> None:
    answer = await house.anyone().post("/oauth/token", data=form)
    assert answer.status_code == 400
    assert {"id", "message", "error", "error_description"} <= answer.json().keys()
