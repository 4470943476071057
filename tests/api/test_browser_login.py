"""What `heroku login` does through a browser. Source: wire contract section 4."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from house import House
from senryu.actions.browser_login import BrowserLogins
from senryu.store.database import Transaction

_PASSWORD = "the analytical engine"


async def _begin(house: House) -> dict[str, str]:
    await house.operator.client.post("/senryu/registrations", json={"email": "ada@example.com", "password": _PASSWORD})
    answer = await house.anyone().post("/auth", json={"description": "Heroku CLI login from <b>home</b>"})
    begun: dict[str, str] = answer.json()
    return begun


async def _outcome(house: House, begun: dict[str, str]) -> httpx.Response:
    return await house.anyone().get(begun["cli_url"], headers={"Authorization": f"Bearer {begun['token']}"})


async def test_the_person_answers_on_a_page_and_the_command_line_gets_a_token(house: House) -> None:
    begun = await _begin(house)
    page = await house.anyone().get(begun["browser_url"])
    assert "Heroku CLI login from &lt;b&gt;home&lt;/b&gt;" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    waiting = asyncio.create_task(_outcome(house, begun))
    form = {"email": "ada@example.com", "password": _PASSWORD}
    assert "Logged in." in (await house.anyone().post(begun["browser_url"], data=form)).text
    token = (await waiting).json()["access_token"]
    account = await house.anyone(token).get("/account")
    assert account.json()["email"] == "ada@example.com"
    assert (await house.anyone(token).get("/oauth/sessions")).json()[-1]["description"] == "Heroku CLI login from <b>home</b>"


async def test_a_login_is_good_once(house: House) -> None:
    begun = await _begin(house)
    form = {"email": "ada@example.com", "password": _PASSWORD}
    await house.anyone().post(begun["browser_url"], data=form)
    assert (await house.anyone().post(begun["browser_url"], data=form)).status_code == 404
    assert "access_token" in (await _outcome(house, begun)).json()
    assert (await _outcome(house, begun)).status_code == 404


async def test_a_wrong_password_is_told_on_the_page_and_leaves_the_login_waiting(house: House) -> None:
    begun = await _begin(house)
    refused = await house.anyone().post(begun["browser_url"], data={"email": "ada@example.com", "password": "wrong"})
    assert refused.status_code == 401
    assert "the password is wrong" in refused.text
    assert (await house.anyone().get(begun["browser_url"])).status_code == 200


async def test_a_person_may_refuse(house: House) -> None:
    begun = await _begin(house)
    await house.anyone().post(begun["browser_url"], data={"refuse": "yes"})
    assert (await _outcome(house, begun)).json() == {"error": "The login was refused in the browser."}


async def test_only_who_began_it_gets_the_outcome(house: House) -> None:
    begun = await _begin(house)
    assert (await _outcome(house, {**begun, "token": "another"})).status_code == 404


async def test_a_login_ends_after_ten_minutes(house: House) -> None:
    begun = await _begin(house)
    house.clock.advance(601)
    assert (await house.anyone().get(begun["browser_url"])).status_code == 404
    assert (await _outcome(house, begun)).status_code == 404


async def test_there_is_an_end_to_logins_under_way(house: House) -> None:
    answers = [(await house.anyone().post("/auth", json={})).status_code for _ in range(201)]
    assert answers[-1] == 429
    house.clock.advance(601)
    assert (await house.anyone().post("/auth", json={})).status_code == 201


async def test_a_login_is_told_of_only_when_its_token_is_stored(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    logins: BrowserLogins = house.api.state.logins
    id, _ = logins.begin("Command line", "127.0.0.1")
    begin, stored = house.db.transaction, asyncio.Event()

    @asynccontextmanager
    async def slow() -> AsyncIterator[Transaction]:
        async with begin() as tx:
            yield tx
            await stored.wait()

    monkeypatch.setattr(house.db, "transaction", slow)
    allowing = asyncio.create_task(logins.allow(id, house.owner.account, db=house.db))
    for _ in range(5):
        assert await logins.outcome(id, 0.02) is None
    stored.set()
    await allowing
    outcome = await logins.outcome(id, 5)
    assert outcome is not None
    assert (await house.anyone(outcome["access_token"]).get("/account")).status_code == 200
