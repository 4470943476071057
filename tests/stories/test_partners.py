"""Add-ons of a partner that runs as a program of its own: at once, later, refused, slow, killed."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from house import House
from partners import RunningPartner, running_partner
from senryu.actions.partners import PartnerRecords, offer_partners, partner_configures, partner_failed, partner_provisioned
from senryu.actions.provision import finish_add_ons
from senryu.api.parts import releasing
from senryu.core import limits
from senryu.core.errors import Conflict
from senryu.core.partner import Manifest, manifest_in
from senryu.partner_caller import JudgedCaller
from senryu.platform import Partners
from senryu.providers.partner import PartnerSupplier
from senryu.resolver import SystemResolver
from senryu.store.add_ons import find_add_on


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[RunningPartner]:
    with running_partner(tmp_path / "partner") as running:
        yield running


def _opened(house: House, *, allow_private: bool = True) -> Partners:
    """A platform that takes services of others, which are on this machine."""
    platform = house.platform
    records = PartnerRecords(db=platform.db, vault=platform.vault, clock=platform.clock, platform_url="http://platform.test")
    calling = JudgedCaller(SystemResolver(), allow_private=allow_private)

    def make(manifest: Manifest, client_id: UUID) -> PartnerSupplier:
        return PartnerSupplier(manifest, client_id, calling=calling, records=records)

    partners = Partners({}, make)
    house.platform = replace(platform, suppliers=partners.offered, partners=partners)
    house.api.state.platform = house.platform
    return partners


async def _registered(house: House, partner: RunningPartner, **options: bool) -> str:
    """The client secret."""
    _opened(house, **options)
    answer = await house.operator.client.post("/senryu/partners", json=partner.manifest)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_secret"])


async def _config(house: House, app: str) -> dict[str, str]:
    return dict((await house.client.get(f"/apps/{app}/config-vars")).json())


async def _made(house: House, app: str, plan: str) -> httpx.Response:
    return await house.client.post(f"/apps/{app}/addons", json={"plan": f"mailer:{plan}", "config": {"color": "blue"}})


async def _destroyed(house: House, app: str, add_on: Any) -> httpx.Response:
    return await house.client.request("DELETE", f"/apps/{app}/addons/{add_on['id']}", json={})


async def test_an_add_on_of_a_partner_is_made_changed_opened_and_destroyed(house: House, partner: RunningPartner) -> None:
    await _registered(house, partner)
    await house.create("shop")
    answer = await _made(house, "shop", "test")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["provision_message"], made["config_vars"]) == ("provisioned", "Enjoy.", ["MAILER_URL"])
    assert made["provider_id"] == f"r-{made['id']}"
    asked = json.loads((partner.folder / "asked.jsonl").read_text())
    assert asked["options"] == {"color": "blue"} and asked["callback_url"] == f"http://platform.test/addons/{made['id']}"
    assert await _config(house, "shop") == {"MAILER_URL": f"https://mail.example/{made['id']}/test"}

    changed = await house.client.patch(f"/apps/shop/addons/{made['id']}", json={"plan": "mailer:busy"})
    assert changed.status_code == 200, changed.text
    assert (await _config(house, "shop"))["MAILER_URL"].endswith("/busy")
    assert (await house.releases("shop"))[-1].description == f"Update MAILER (@{made['name']})"
    refused = await house.client.patch(f"/apps/shop/addons/{made['id']}", json={"plan": "mailer:refused"})
    assert refused.status_code == 422 and "Too small for you." in refused.json()["message"]

    found = (await house.client.post("/actions/addons/resolve", json={"addon": made["name"], "app": "shop"})).json()
    page = await house.client.get(urllib.parse.urlsplit(found[0]["web_url"]).path)
    assert page.status_code == 200 and "form-action 'self' http://127.0.0.1" in page.headers["content-security-policy"]
    form = (await house.client.get(f"/apps/shop/addons/{made['name']}/sso")).json()
    async with httpx.AsyncClient() as browser:
        inside = await browser.post(form["action"], data=form["params"])
        assert inside.json() == {"hello": "owner@example.com"}
        assert (await browser.post(form["action"], data={**form["params"], "resource_token": "0" * 40})).status_code == 403

    assert (await _destroyed(house, "shop", made)).json()["state"] == "deprovisioned"
    assert partner.made() == [] and await _config(house, "shop") == {}


async def test_one_that_takes_longer_has_config_vars_once_its_partner_says_so(house: House, partner: RunningPartner) -> None:
    secret = await _registered(house, partner)
    await house.create("later")
    await house.deploy("later")
    made = (await _made(house, "later", "later")).json()
    assert (made["state"], made["config_vars"], made["provision_message"]) == ("provisioning", [], "It takes a while.")
    releases = len(await house.releases("later"))
    grant = json.loads((partner.folder / "asked.jsonl").read_text())["oauth_grant"]
    traded = await house.client.post(
        "/oauth/token", json={"grant_type": "authorization_code", "code": grant["code"], "client_secret": secret}
    )
    token = {"Authorization": f"Bearer {traded.json()['access_token']}"}
    own = f"/addons/{made['id']}"
    wrong = await house.client.patch(f"{own}/config", json={"config": [{"name": "DATABASE_URL", "value": "x"}]}, headers=token)
    assert wrong.status_code == 422
    body = {"config": [{"name": "MAILER_URL", "value": "https://later.example"}]}
    assert (await house.client.patch(f"{own}/config", json=body, headers=token)).json() == body["config"]
    assert await _config(house, "later") == {} and len(await house.releases("later")) == releases
    for _ in range(2):  # once is as good as twice
        assert (await house.client.post(f"{own}/actions/provision", headers=token)).json()["state"] == "provisioned"
    assert await _config(house, "later") == {"MAILER_URL": "https://later.example"}
    assert len(await house.releases("later")) == releases + 1
    rotated = {"config": [{"name": "MAILER_URL", "value": "https://rotated.example"}]}
    await house.client.patch(f"{own}/config", json=rotated, headers=token)
    assert await _config(house, "later") == {"MAILER_URL": "https://rotated.example"}

    # The token reaches this add-on and nothing else; nobody else's reaches there.
    for call in ("GET /apps", "GET /account", "GET /apps/later/config-vars", "GET /addons", "DELETE /apps/later"):
        assert (await house.client.request(*call.split(), headers=token)).status_code == 403, call
    other = (await _made(house, "later", "test")).json()
    assert (await house.client.get(f"/addons/{other['id']}/config", headers=token)).status_code == 403
    assert (await house.client.get(f"{own}/config")).status_code == 403
    assert (await house.client.post(f"{own}/actions/deprovision", headers=token)).status_code == 409


async def test_what_a_partner_asks_for_at_once_is_all_done_and_done_once(house: House, partner: RunningPartner) -> None:
    await _registered(house, partner)
    await house.create("hasty")
    await house.deploy("hasty")
    made = (await _made(house, "hasty", "later")).json()
    platform, manifest = house.platform, manifest_in(partner.manifest)
    async with platform.db.reading() as tx:
        seen = await find_add_on(tx, UUID(made["id"]), vault=platform.vault)
    assert seen is not None
    parts = releasing(platform)
    releases = len(await house.releases("hasty"))
    await asyncio.gather(
        partner_configures(seen, {"MAILER_URL": "https://mail.example"}, manifest=manifest, **parts),
        partner_configures(seen, {"MAILER_KEY": "k"}, manifest=manifest, **parts),
    )
    await asyncio.gather(partner_provisioned(seen, **parts), partner_provisioned(seen, **parts))
    assert await _config(house, "hasty") == {"MAILER_URL": "https://mail.example", "MAILER_KEY": "k"}
    assert len(await house.releases("hasty")) == releases + 1
    with pytest.raises(Conflict):
        await partner_failed(seen, **parts)
    assert await _config(house, "hasty") != {}


async def test_one_that_its_partner_gives_up_or_forgets_goes(house: House, partner: RunningPartner) -> None:
    secret = await _registered(house, partner)
    await house.create("given-up")
    first = (await _made(house, "given-up", "later")).json()
    grant = json.loads((partner.folder / "asked.jsonl").read_text())["oauth_grant"]
    body = {"grant_type": "authorization_code", "code": grant["code"], "client_secret": secret}
    token = {"Authorization": f"Bearer {(await house.client.post('/oauth/token', json=body)).json()['access_token']}"}
    gone = await house.client.post(f"/addons/{first['id']}/actions/deprovision", headers=token)
    assert gone.json()["state"] == "deprovisioned"
    assert (await house.client.get("/apps/given-up/addons")).json() == []
    second = (await _made(house, "given-up", "later")).json()
    await _round(house, limits.ACCEPTED_MAX_S / 2)
    assert (await house.client.get(f"/addons/{second['id']}")).json()["state"] == "provisioning"
    await _round(house, limits.ACCEPTED_MAX_S)
    await _round(house, 3 * limits.PROVISION_TIMEOUT_S)
    assert second["id"] not in partner.made()
    assert (await house.client.get("/apps/given-up/addons")).json() == []


async def _round(house: House, after_s: float) -> None:
    house.clock.advance(after_s)
    await finish_add_ons(suppliers=house.platform.suppliers, **releasing(house.platform))


async def test_a_refusal_is_told_and_leaves_nothing(house: House, partner: RunningPartner) -> None:
    await _registered(house, partner)
    await house.create("refused")
    answer = await _made(house, "refused", "refused")
    assert answer.status_code == 422 and "Your plan is[31m sold out." in answer.json()["message"]
    (partner.folder / "busy").touch()
    assert (await _made(house, "refused", "busy")).status_code == 503
    (partner.folder / "busy").unlink()
    await _round(house, 3 * limits.PROVISION_TIMEOUT_S)
    assert (partner.made(), (await house.client.get("/apps/refused/addons")).json(), await _config(house, "refused")) == ([], [], {})
    assert (await _made(house, "refused", "busy")).status_code == 201


async def test_a_partner_killed_before_it_answered_keeps_nothing_for_good(house: House, partner: RunningPartner) -> None:
    await _registered(house, partner)
    await house.create("crash")
    assert (await _made(house, "crash", "crash")).status_code == 503
    assert len(partner.made()) == 1  # it had made it, and nobody knows what it calls it
    partner.start()
    await _round(house, 3 * limits.PROVISION_TIMEOUT_S)
    assert (partner.made(), (await house.client.get("/apps/crash/addons")).json()) == ([], [])
    made = (await _made(house, "crash", "crash")).json()
    partner.stop()
    going = await _destroyed(house, "crash", made)
    assert going.status_code == 503 and await _config(house, "crash") == {}
    partner.start()
    await _round(house, 3 * limits.PROVISION_TIMEOUT_S)
    assert (partner.made(), (await house.client.get("/apps/crash/addons")).json()) == ([], [])


async def test_a_slow_partner_is_waited_for_and_one_too_slow_is_not(
    house: House, partner: RunningPartner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _registered(house, partner)
    await house.create("slow")
    (partner.folder / "slow.s").write_text("0.5")
    making = asyncio.create_task(_made(house, "slow", "slow"))
    while not (found := (await house.client.get("/apps/slow/addons")).json()):
        await asyncio.sleep(0.01)
    assert found[0]["state"] == "provisioning" and found[0]["config_vars"] == []
    going = await _destroyed(house, "slow", found[0])  # while it is being made
    assert going.json()["state"] == "deprovisioning"
    assert (await making).status_code == 409
    assert (partner.made(), (await house.client.get("/apps/slow/addons")).json()) == ([], [])
    (partner.folder / "slow.s").write_text("3")
    monkeypatch.setattr(limits, "PARTNER_TIMEOUT_S", 0.2)
    assert (await _made(house, "slow", "slow")).status_code == 503
    assert await _config(house, "slow") == {}


async def test_a_partner_inside_is_not_called_unless_the_operator_allows_it(house: House, partner: RunningPartner) -> None:
    await _registered(house, partner, allow_private=False)
    await house.create("inside")
    answer = await _made(house, "inside", "test")
    assert answer.status_code == 503 and "https" in answer.json()["message"]
    assert not (partner.folder / "asked.jsonl").exists()


async def test_only_the_operator_registers_services_and_only_sound_ones_under_free_names(house: House, partner: RunningPartner) -> None:
    partners = _opened(house)
    assert (await house.client.post("/senryu/partners", json=partner.manifest)).status_code == 403
    sound = partner.manifest
    operator = house.operator.client
    for wrong in (
        {**sound, "id": "Mailer"},
        {**sound, "api": {**sound["api"], "password": ""}},
        {**sound, "api": {**sound["api"], "config_vars": ["DATABASE_URL"]}},
        {**sound, "api": {**sound["api"], "production": {"base_url": "file:///etc/passwd"}}},
        {**sound, "api": {**sound["api"], "production": {"base_url": "https://[x"}}},
        {**sound, "api": {**sound["api"], "version": "1"}},
        {**sound, "plans": []},
    ):
        assert (await operator.post("/senryu/partners", json=wrong)).status_code == 422, wrong
    first = (await operator.post("/senryu/partners", json=sound)).json()
    again = (await operator.post("/senryu/partners", json={**sound, "name": "Mailer 2"})).json()
    assert first["client_secret"] == again["client_secret"] and again["human_name"] == "Mailer 2"
    assert "partner-password" not in (await operator.get("/senryu/partners")).text
    await house.create("user")
    made = (await _made(house, "user", "test")).json()
    assert (await operator.delete("/senryu/partners/mailer")).status_code == 409
    partners.offered.clear()  # as after a restart
    platform = house.platform
    await offer_partners(partners.offered, make=partners.make, db=platform.db, vault=platform.vault)
    await _destroyed(house, "user", made)
    assert (await operator.delete("/senryu/partners/mailer")).status_code == 200
    assert (await _made(house, "user", "test")).status_code == 422
