"""Second factors: set up, asked for, used once, lost; and guessing of passwords and codes."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
import pytest_asyncio
import structlog
from sqlalchemy import text

from house import House
from senryu.core.two_factor import HEADER
from senryu.store.account_tables import recovery_codes, two_factors

EMAIL, PASSWORD = "owner@example.org", "correct horse battery"


def basic(email: str = EMAIL, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{email}:{password}".encode()).decode()


@pytest_asyncio.fixture
async def me(house: House) -> httpx.AsyncClient:
    """Somebody with a password."""
    body = {"email": EMAIL, "password": PASSWORD}
    made = await house.operator.client.post("/senryu/registrations", json=body)
    return house.anyone(made.json()["access_token"]["token"])


class Phone:
    """An authenticator app and the recovery codes on paper."""

    def __init__(self, house: House, seed: str) -> None:
        self.house, self.totp = house, pyotp.TOTP(seed)
        self.paper: list[str] = []

    def code(self, steps: int = 0) -> str:
        return self.totp.at(self.house.clock.now() + timedelta(seconds=30 * steps))

    def next(self) -> str:
        """The code half a minute later."""
        self.house.clock.advance(30)
        return self.code()


async def enabled(house: House, me: httpx.AsyncClient) -> Phone:
    """A second factor that is asked for."""
    begun = await me.post("/senryu/two-factor", json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    phone = Phone(house, begun.json()["secret"])
    assert pyotp.parse_uri(begun.json()["provisioning_uri"]).secret == phone.totp.secret
    answer = await me.patch("/senryu/two-factor", json={"code": phone.code()})
    assert answer.status_code == 200, answer.text
    phone.paper = answer.json()["recovery_codes"]
    return phone


async def log_in(house: House, code: str | None = None, **more: str) -> httpx.Response:
    headers = {HEADER: code} if code is not None else {}
    return await house.anyone(header=basic()).post("/oauth/authorizations", json={}, headers={**headers, **more})


async def test_a_login_takes_the_code_once_the_factor_is_enabled_and_not_before(house: House, me: httpx.AsyncClient) -> None:
    assert (await me.get("/account")).json()["two_factor_authentication"] is False
    await me.post("/senryu/two-factor", json={"password": PASSWORD})
    assert (await log_in(house)).status_code == 201
    phone = await enabled(house, me)
    assert (await me.get("/account")).json()["two_factor_authentication"] is True
    refused = await log_in(house)
    assert (refused.status_code, refused.json()["id"]) == (403, "two_factor")
    assert (await log_in(house, phone.next())).status_code == 201
    assert (await me.get("/account")).status_code == 200, "tokens there are go on"


async def test_a_client_may_ask_again_with_the_code_under_the_same_request_id(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    same = {"Request-Id": "one"}
    assert (await log_in(house, **same)).status_code == 403
    assert (await log_in(house, phone.next(), **same)).status_code == 201


async def test_a_code_is_worth_nothing_the_second_time_nor_one_before_it(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    earlier, code = phone.code(), phone.next()
    assert (await log_in(house, code)).status_code == 201
    again = await log_in(house, code)
    assert (again.status_code, again.json()["id"]) == (403, "two_factor")
    assert "used already" in again.json()["message"]
    assert (await log_in(house, earlier)).status_code == 403
    assert (await log_in(house, phone.next())).status_code == 201


async def test_clocks_may_differ_by_half_a_minute_and_no_more(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    house.clock.advance(120)
    assert (await log_in(house, phone.code(-2))).status_code == 403
    assert (await log_in(house, phone.code(2))).status_code == 403
    assert (await log_in(house, phone.code(-1))).status_code == 201
    assert (await log_in(house, phone.code(1))).status_code == 201


async def test_a_recovery_code_works_once_in_any_spelling(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    assert len(set(phone.paper)) == 10
    assert (await log_in(house, phone.paper[0].upper().replace("-", " "))).status_code == 201
    assert (await log_in(house, phone.paper[0])).status_code == 403
    assert (await me.get("/senryu/two-factor")).json() == {"enabled": True, "recovery_codes_left": 9}
    renewed = await me.post("/senryu/two-factor/recovery-codes", headers={HEADER: phone.next()})
    assert renewed.status_code == 201
    assert (await log_in(house, phone.paper[1])).status_code == 403
    assert (await log_in(house, renewed.json()["recovery_codes"][1])).status_code == 201


async def test_a_token_alone_neither_begins_nor_ends_a_factor_nor_changes_the_password(house: House, me: httpx.AsyncClient) -> None:
    assert (await me.post("/senryu/two-factor", json={})).status_code == 422
    assert (await me.post("/senryu/two-factor", json={"password": "wrong"})).status_code == 401
    phone = await enabled(house, me)
    for method, path in (("DELETE", "/senryu/two-factor"), ("POST", "/senryu/two-factor/recovery-codes")):
        answer = await me.request(method, path)
        assert (answer.status_code, answer.json()["id"]) == (403, "two_factor")
    change = {"password": PASSWORD, "new_password": "another one entirely"}
    assert (await me.patch("/account", json=change)).json()["id"] == "two_factor"
    assert (await me.patch("/account", json=change, headers={HEADER: phone.next()})).status_code == 200
    assert (await me.delete("/senryu/two-factor", headers={HEADER: phone.next()})).status_code == 200
    login = house.anyone(header=basic(password="another one entirely"))
    assert (await login.post("/oauth/authorizations", json={})).status_code == 201


async def test_what_was_begun_ends_after_ten_minutes_and_a_wrong_code_enables_nothing(house: House, me: httpx.AsyncClient) -> None:
    begun = (await me.post("/senryu/two-factor", json={"password": PASSWORD})).json()
    assert (await me.patch("/senryu/two-factor", json={"code": "000000"})).status_code == 403
    phone = Phone(house, begun["secret"])
    house.clock.advance(601)
    assert (await me.patch("/senryu/two-factor", json={"code": phone.code()})).status_code == 422
    assert (await log_in(house)).status_code == 201
    phone = await enabled(house, me)
    assert (await me.post("/senryu/two-factor", json={"password": PASSWORD})).status_code == 422
    assert (await me.patch("/senryu/two-factor", json={"code": phone.next()})).status_code == 422


async def test_the_operator_helps_who_lost_everything(house: House, me: httpx.AsyncClient) -> None:
    await enabled(house, me)
    assert (await house.operator.client.post("/senryu/two-factor/resets", json={"email": EMAIL})).status_code == 200
    assert (await log_in(house)).status_code == 201


async def test_the_database_holds_neither_seed_nor_codes(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    async with house.db.reading() as tx:
        stored = str((await tx.execute(two_factors.select())).all()) + str((await tx.execute(recovery_codes.select())).all())
    assert phone.totp.secret not in stored
    assert not any(code in stored or code.replace("-", "") in stored for code in phone.paper)


async def test_guessing_codes_is_slowed_told_with_a_time_and_logged(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    with structlog.testing.capture_logs() as logged:
        answers = [await log_in(house, f"{number:06}", **{"X-Forwarded-For": "6.6.6.6"}) for number in range(7)]
    assert [answer.status_code for answer in answers][:6] == [403] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert {entry["event"] for entry in logged} >= {"wrong two-factor code"}
    assert all(entry["address"] == "6.6.6.6" for entry in logged if entry["event"] == "wrong two-factor code")
    assert (await log_in(house, phone.next(), **{"X-Forwarded-For": "6.6.6.6"})).status_code == 201, "half a minute later"


async def test_guessing_passwords_is_slowed_from_there_and_not_from_elsewhere(house: House, me: httpx.AsyncClient) -> None:
    async def guess(email: str, place: str, password: str = "wrong") -> httpx.Response:
        forwarded = {"X-Forwarded-For": f"1.2.3.4, {place}"}  # the first is what the client made up
        return await house.anyone(header=basic(email, password)).post("/oauth/authorizations", json={}, headers=forwarded)

    with structlog.testing.capture_logs() as logged:
        statuses = [(await guess(EMAIL, "6.6.6.6")).status_code for _ in range(7)]
        unknown = [(await guess("nobody@example.org", "6.6.6.6")).status_code for _ in range(7)]
    assert statuses == unknown == [401] * 5 + [429] * 2
    refused = await guess(EMAIL, "6.6.6.6", PASSWORD)
    assert (refused.status_code, refused.json()["id"]) == (429, "rate_limit")
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert (await guess(EMAIL, "7.7.7.7", PASSWORD)).status_code == 201
    events = [(entry["event"], entry.get("account")) for entry in logged]
    account = (await me.get("/account")).json()["id"]
    assert events.count(("login failed", account)) == events.count(("login failed", "unknown")) == 5
    assert {entry["address"] for entry in logged} == {"6.6.6.6"}
    assert "nobody@" not in str(logged)
    house.clock.advance(2)
    assert (await guess(EMAIL, "6.6.6.6", PASSWORD)).status_code == 201


async def test_a_login_in_the_browser_asks_for_the_code_on_a_second_page(house: House, me: httpx.AsyncClient) -> None:
    phone = await enabled(house, me)
    begun = (await house.anyone().post("/auth", json={})).json()
    path, form = begun["browser_url"], {"email": EMAIL, "password": PASSWORD}
    page = await house.anyone().post(path, data=form)
    assert page.status_code == 200
    assert 'name="code"' in page.text
    assert 'name="password"' not in page.text
    ticket = _ticket(page)
    wrong = await house.anyone().post(path, data={"ticket": ticket, "code": "000000"})
    assert wrong.status_code == 403
    assert "wrong, too old" in wrong.text
    for forged in (ticket[:-2] + "xx", "junk"):
        assert (await house.anyone().post(path, data={"ticket": forged, "code": phone.code()})).status_code == 401
    other = (await house.anyone().post("/auth", json={})).json()["browser_url"]
    assert (await house.anyone().post(other, data={"ticket": ticket, "code": phone.next()})).status_code == 401
    done = await house.anyone().post(path, data={"ticket": _ticket(wrong), "code": phone.next()})
    assert "Logged in." in done.text
    outcome = await house.anyone(begun["token"]).get(begun["cli_url"])
    assert (await house.anyone(outcome.json()["access_token"]).get("/account")).json()["email"] == EMAIL


def _ticket(page: httpx.Response) -> str:
    found = re.search(r'name="ticket" type="hidden" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


@pytest.mark.parametrize("code", ["", "é", "0" * 5000, "\u0000"])
async def test_a_code_that_is_none_is_refused(house: House, me: httpx.AsyncClient, code: str) -> None:
    await enabled(house, me)
    begun: Any = await house.anyone().post("/auth", json={})
    page = await house.anyone().post(begun.json()["browser_url"], data={"email": EMAIL, "password": PASSWORD})
    answer = await house.anyone().post(begun.json()["browser_url"], data={"ticket": _ticket(page), "code": code})
    assert answer.status_code in (200, 403)
    assert "Logged in." not in answer.text
    async with house.db.reading() as tx:
        assert (await tx.execute(text("SELECT 1"))).scalar() == 1
