"""Certificates of custom domains, uploaded and automatic, in the whole house: what the router serves follows what was asked."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from authorities.rig import certificate
from house import House, eventually
from senryu.core import limits
from senryu.store.certificate_orders import list_orders

APP = "/apps/story-app"


async def domain(house: House, hostname: str = "www.story.example.org", **more: Any) -> dict[str, Any]:
    answer = await house.client.post(f"{APP}/domains", json={"hostname": hostname, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def upload(house: House, *names: str) -> dict[str, Any]:
    pem, key, _ = certificate(*names)
    answer = await house.client.post(f"{APP}/sni-endpoints", json={"certificate_chain": pem, "private_key": key})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def status(house: House, hostname: str = "www.story.example.org") -> str | None:
    return (await house.client.get(f"{APP}/domains/{hostname}")).json()["acm_status"]  # type: ignore[no-any-return]


async def served(house: House) -> set[str]:
    return set(await house.router.certificates())


async def becomes(house: House, wanted: str, hostname: str = "www.story.example.org") -> None:
    async def is_so() -> bool:
        house.platform.certifying.wake()  # a jump of the clock may meet the loop between its look and its rest
        return await status(house, hostname) == wanted

    await eventually(is_so, f"{hostname} to be {wanted}")


async def serves(house: House, *hosts: str) -> None:
    async def is_so() -> bool:
        house.platform.certifying.wake()
        return await served(house) == set(hosts)

    await eventually(is_so, f"{hosts} to be served")


async def test_an_uploaded_certificate_is_served_for_the_domains_that_are_given_it(house: House) -> None:
    await house.create()
    await domain(house, sni_endpoint=None)
    made = await upload(house, "www.story.example.org", "*.more.example.org")
    assert {"app", "certificate_chain", "created_at", "display_name", "domains", "id", "name", "ssl_cert", "updated_at"} == set(made)
    assert made["ssl_cert"]["cert_domains"] == ["www.story.example.org", "*.more.example.org"]
    assert made["ssl_cert"]["self_signed?"] is True and made["ssl_cert"]["ca_signed?"] is False and made["ssl_cert"]["acm"] is False
    assert "private" not in str(made).lower()
    assert await served(house) == set()
    changed = await house.client.patch(f"{APP}/domains/www.story.example.org", json={"sni_endpoint": made["name"]})
    assert changed.json()["sni_endpoint"] == {"id": made["id"], "name": made["name"]}
    await serves(house, "www.story.example.org")
    # A domain that is added without a word takes the only certificate that is for it.
    assert (await domain(house, "a.more.example.org"))["sni_endpoint"]["name"] == made["name"]
    await serves(house, "www.story.example.org", "a.more.example.org")
    listed = (await house.client.get(f"{APP}/sni-endpoints")).json()
    assert [len(each["domains"]) for each in listed] == [2]
    before = dict(await house.router.certificates())
    pem, key, _ = certificate("www.story.example.org", "a.more.example.org")
    update = {"certificate_chain": pem, "private_key": key}
    assert (await house.client.patch(f"{APP}/sni-endpoints/{made['name']}", json=update)).status_code == 200

    async def is_replaced() -> bool:
        now = await house.router.certificates()
        return now.keys() == before.keys() and not set(now.values()) & set(before.values())

    await eventually(is_replaced)
    assert (await house.client.delete(f"{APP}/domains/a.more.example.org")).status_code == 200
    await serves(house, "www.story.example.org")
    assert (await house.client.delete(f"{APP}/sni-endpoints/{made['id']}")).json()["name"] == made["name"]
    await serves(house)
    assert (await house.client.get(f"{APP}/domains/www.story.example.org")).json()["sni_endpoint"] is None
    assert (await house.client.get(f"{APP}/sni-endpoints/{made['name']}")).status_code == 404


async def test_what_does_not_fit_is_refused_in_herokus_form(house: House) -> None:
    await house.create()
    await domain(house, sni_endpoint=None)
    other = await upload(house, "other.example.org")
    refused = await house.client.patch(f"{APP}/domains/www.story.example.org", json={"sni_endpoint": other["name"]})
    assert refused.status_code == 422 and "not for www.story.example.org" in refused.json()["message"]
    assert refused.json()["id"] == "invalid_params"
    assert (await house.client.patch(f"{APP}/domains/www.story.example.org", json={"sni_endpoint": "nobody"})).status_code == 404
    assert (await house.client.patch(f"{APP}/domains/www.story.example.org", json={})).status_code == 422
    assert (await house.client.patch(f"{APP}/domains/story-app.localhost", json={"sni_endpoint": None})).status_code == 422
    again = await house.client.post(f"{APP}/domains", json={"hostname": "b.example.org", "sni_endpoint": other["name"]})
    assert again.status_code == 422
    pem, key, _ = certificate("www.story.example.org")
    swapped, numbers = {"certificate_chain": key, "private_key": pem}, {"certificate_chain": 1, "private_key": 2}
    for body in ({}, {"certificate_chain": pem}, swapped, numbers):
        answer = await house.client.post(f"{APP}/sni-endpoints", json=body)
        assert answer.status_code == 422 and "PRIVATE KEY-----\n" not in answer.text
    assert (await house.client.patch(f"{APP}/sni-endpoints/{other['name']}", json={"certificate_chain": pem})).status_code == 422
    linked = await house.client.post(f"{APP}/domains", json={"hostname": "other.example.org", "sni_endpoint": other["id"]})
    assert linked.status_code == 201
    lost = await house.client.patch(f"{APP}/sni-endpoints/{other['name']}", json={"certificate_chain": pem, "private_key": key})
    assert lost.status_code == 422 and "other.example.org" in lost.json()["message"]
    shown = await house.client.patch(f"{APP}/sni-endpoints/{other['name']}", json={"display_name": "mine"})
    assert shown.json()["display_name"] == "mine"
    assert (await house.client.get(f"{APP}/sni-endpoints/mine")).json()["id"] == other["id"]


async def test_what_the_router_forgot_is_given_again_and_what_nobody_wants_is_taken_away(house: House) -> None:
    await house.create()
    made = await upload(house, "www.story.example.org")
    await domain(house, sni_endpoint=made["name"])
    await serves(house, "www.story.example.org")
    await house.router.remove_certificate("www.story.example.org")
    pem, key, _ = certificate("stale.example.org")
    await house.router.put_certificate("stale.example.org", pem + key)
    house.clock.advance(limits.CERTIFICATE_CHECK_S)
    await serves(house, "www.story.example.org")
    await house.router.remove_certificate("www.story.example.org")
    await house.restart()
    await serves(house, "www.story.example.org")
    assert (await house.client.delete(APP)).status_code == 200
    house.clock.advance(limits.CERTIFICATE_CHECK_S)
    await serves(house)


async def test_automatic_certificates_are_fetched_for_every_domain_and_renewed_before_they_end(house: House) -> None:
    await house.create()
    await domain(house)
    assert (await house.client.get(APP)).json()["acm"] is False
    assert (await house.client.post(f"{APP}/acm", json={})).json()["acm"] is True
    await becomes(house, "cert issued")
    await serves(house, "www.story.example.org")
    await domain(house, "two.story.example.org")
    await becomes(house, "cert issued", "two.story.example.org")
    await serves(house, "www.story.example.org", "two.story.example.org")
    endpoints = (await house.client.get(f"{APP}/sni-endpoints")).json()
    assert [each["ssl_cert"]["acm"] for each in endpoints] == [True, True]
    assert house.router.challenges == frozenset()
    before = dict(await house.router.certificates())
    house.clock.advance(timedelta(days=59).total_seconds())
    assert dict(await house.router.certificates()) == before
    house.clock.advance(timedelta(days=1, minutes=1).total_seconds())

    async def is_renewed() -> bool:
        house.platform.certifying.wake()
        now = await house.router.certificates()
        return now.keys() == before.keys() and not set(now.values()) & set(before.values())

    await eventually(is_renewed, "renewal")
    assert len((await house.client.get(f"{APP}/sni-endpoints")).json()) == 2
    assert len(house.authority.accounts) == 1
    assert (await house.client.delete(f"{APP}/domains/two.story.example.org")).status_code == 200
    await serves(house, "www.story.example.org")
    name = endpoints[0]["name"]
    assert (await house.client.delete(f"{APP}/acm")).json()["acm"] is False
    await serves(house)
    assert await status(house) is None
    assert (await house.client.get(f"{APP}/sni-endpoints/{name}")).status_code == 404


async def test_a_refusal_is_shown_with_its_reason_and_tried_again_with_longer_and_longer_waits(house: House) -> None:
    app = await house.create()
    await domain(house)
    house.authority.refuses["www.story.example.org"] = "DNS problem: NXDOMAIN"
    await house.client.post(f"{APP}/acm", json={})
    await becomes(house, "failing")
    assert (await house.client.get(f"{APP}/domains/www.story.example.org")).json()["acm_status_reason"] == "DNS problem: NXDOMAIN"
    said = "app[api]: Certificate for www.story.example.org could not be fetched: DNS problem: NXDOMAIN"

    async def is_told() -> bool:
        return said in await house.log_of(app["id"])

    await eventually(is_told, "the reason in the log")
    for failures in range(2, limits.CERTIFICATE_FAILURES_MAX + 1):
        tried = len(house.authority.placed)
        house.clock.advance(limits.CERTIFICATE_RETRY_FIRST_S * 2 ** (failures - 2) * 0.9)
        house.platform.certifying.wake()
        assert len(house.authority.placed) == tried
        house.clock.advance(limits.CERTIFICATE_RETRY_FIRST_S * 2 ** (failures - 2) * 0.25)

        async def is_counted(failures: int = failures) -> bool:
            house.platform.certifying.wake()
            async with house.db.reading() as tx:
                [order] = await list_orders(tx, vault=house.platform.vault)
            return (order.failures, order.placed) == (failures, None)

        await eventually(is_counted, f"failure {failures}")
        assert len(house.authority.placed) == tried + 1
        assert await status(house) == ("failing" if failures < limits.CERTIFICATE_FAILURES_MAX else "failed")
    house.authority.refuses.clear()
    assert (await house.client.patch(f"{APP}/acm", json={"acm_refresh": True})).status_code == 200
    await becomes(house, "cert issued")
    assert (await house.client.get(f"{APP}/domains/www.story.example.org")).json()["acm_status_reason"] is None


async def test_an_order_under_way_survives_a_crash_with_its_key(house: House) -> None:
    await house.create()
    await domain(house)
    house.authority.is_holding = True
    await house.client.post(f"{APP}/acm", json={})

    async def is_asked() -> bool:
        return len(house.router.challenges) == 1

    await eventually(is_asked)
    token = next(iter(house.router.challenges))
    assert (await house.anyone().get(token)).text == "answer1"
    assert (await house.anyone().get(token + "x")).status_code == 404
    async with house.db.reading() as tx:
        rows = str((await tx.execute(text("SELECT * FROM certificate_orders"))).all())
        accounts = str((await tx.execute(text("SELECT * FROM acme_accounts"))).all())
    assert "PRIVATE KEY" not in rows + accounts and base64.b64encode(b"PRIVATE KEY").decode()[:10] not in rows + accounts
    await house.router.set_challenges([])  # killed with the platform
    await house.restart()
    house.authority.is_holding = False
    house.clock.advance(limits.CERTIFICATE_POLL_S)
    await becomes(house, "cert issued")
    assert house.authority.placed == ["www.story.example.org"]
    await serves(house, "www.story.example.org")


async def test_an_authority_that_is_away_is_waited_for_and_one_that_forgot_us_is_told_again(house: House) -> None:
    await house.create()
    await domain(house)
    house.authority.is_away = True
    await house.client.post(f"{APP}/acm", json={})
    await becomes(house, "failing")
    house.authority.is_away = False
    house.clock.advance(limits.CERTIFICATE_RETRY_FIRST_S * 1.2)
    await becomes(house, "cert issued")
    forgotten = house.authority.accounts.pop()
    await domain(house, "two.story.example.org")
    await becomes(house, "failing", "two.story.example.org")
    house.clock.advance(limits.CERTIFICATE_RETRY_FIRST_S * 1.2)
    await becomes(house, "cert issued", "two.story.example.org")
    assert house.authority.accounts == [forgotten]


async def test_a_certificate_of_ones_own_goes_before_an_automatic_one_and_ends_it(house: House) -> None:
    await house.create()
    await domain(house)
    await domain(house, "*.story.example.org")
    await house.client.post(f"{APP}/acm", json={})
    await becomes(house, "cert issued")
    assert await status(house, "*.story.example.org") == "failed"
    [automatic] = (await house.client.get(f"{APP}/sni-endpoints")).json()
    assert (await house.client.delete(f"{APP}/sni-endpoints/{automatic['name']}")).status_code == 422
    own = await upload(house, "*.story.example.org")
    for hostname in ("*.story.example.org", "www.story.example.org"):
        changed = await house.client.patch(f"{APP}/domains/{hostname}", json={"sni_endpoint": own["name"]})
        assert changed.json()["acm_status"] is None
    await serves(house, "*.story.example.org", "www.story.example.org")
    assert [each["name"] for each in (await house.client.get(f"{APP}/sni-endpoints")).json()] == [own["name"]]
    # Without one again, it is fetched.
    await house.client.patch(f"{APP}/domains/www.story.example.org", json={"sni_endpoint": None})
    await becomes(house, "cert issued")
    [automatic] = [each for each in (await house.client.get(f"{APP}/sni-endpoints")).json() if each["ssl_cert"]["acm"]]
    pem, key, _ = certificate("www.story.example.org")
    update = {"certificate_chain": pem, "private_key": key}
    now = (await house.client.patch(f"{APP}/sni-endpoints/{automatic['name']}", json=update)).json()
    assert now["ssl_cert"]["acm"] is False and (await house.client.get(APP)).json()["acm"] is False
    await serves(house, "*.story.example.org", "www.story.example.org")
    assert (await house.client.patch(f"{APP}/acm", json={"acm_refresh": True})).status_code == 422
