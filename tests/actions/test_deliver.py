"""Webhooks of a whole house, delivered to receivers on loopback: good ones and every kind of bad one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from house import House, eventually
from logs.receivers import HttpReceiver, Post, open_receiver
from senryu.actions.deliver import Deliveries
from senryu.core import limits
from senryu.core.webhook import Answered, Poster
from senryu.poster import JudgedPoster
from senryu.providers.postgres import SERVICE
from senryu.store import webhooks as store
from stand_ins import ScriptedSupplier


@asynccontextmanager
async def delivering(house: House, poster: Poster | None = None) -> AsyncIterator[Deliveries]:
    """The deliveries at work."""
    sender = poster or JudgedPoster(house.platform.resolver, allow_private=True)
    work = Deliveries(db=house.db, vault=house.platform.vault, poster=sender, clock=house.clock, urls=lambda name: {"web_url": f"http://{name}/"})
    async with work:
        house.db.on_news = work.wake
        yield work
        house.db.on_news = lambda: None


async def subscribe(house: House, app: str, url: str, *include: str, level: str = "sync", **more: str) -> dict[str, Any]:
    """A webhook made over the API; private addresses are allowed for it."""
    made = await _post(house, app, {"url": url, "include": include or ["api:app"], "level": level, **more})
    assert made.status_code == 201, made.text
    return {**made.json(), "secret": made.headers["heroku-webhook-secret"]}


async def _post(house: House, app: str, body: dict[str, Any]) -> Any:
    return await house.client.post(f"/apps/{app}/webhooks", json=body)


def told(post: Post) -> dict[str, Any]:
    """What a request said."""
    return dict(json.loads(post.body))


async def deliveries(house: House, app: str, status: str = "") -> list[dict[str, Any]]:
    """As the API lists them."""
    query = f"?eq[status]={status}" if status else ""
    answer = await house.client.get(f"/apps/{app}/webhook-deliveries{query}", headers={"Range": "seq ..; order=asc,max=1000"})
    return list(answer.json())


@pytest.fixture(autouse=True)
def private_allowed(house: House) -> None:
    object.__setattr__(house.platform.settings, "allow_private_webhooks", True)


async def test_a_new_webhook_is_pinged_signed_and_authorized_and_its_secret_told_once(house: House) -> None:
    await house.create("hooked")
    receiver = HttpReceiver()
    async with open_receiver(receiver), delivering(house):
        made = await subscribe(house, "hooked", f"http://127.0.0.1:{receiver.port}/in?x=1", authorization="Bearer s3cret-header")
        await eventually(lambda: len(receiver.taken) == 1, "the ping")
        [post] = receiver.taken
        assert post.path == "/in?x=1"
        assert post.headers["Authorization"] == "Bearer s3cret-header"
        signed = base64.b64encode(hmac.new(made["secret"].encode(), post.body, hashlib.sha256).digest()).decode()
        assert post.headers["Heroku-Webhook-Hmac-SHA256"] == signed
        assert told(post)["webhook_metadata"]["event"]["include"] == "ping"
        assert told(post)["data"]["id"] == made["id"]

        async def is_done() -> bool:
            return [each["status"] for each in await deliveries(house, "hooked")] == ["succeeded"]

        await eventually(is_done)
    shown = json.dumps((await house.client.get("/apps/hooked/webhooks")).json()) + json.dumps(await deliveries(house, "hooked"))
    events = json.dumps((await house.client.get("/apps/hooked/webhook-events")).json())
    assert made["secret"] not in shown + events
    assert "s3cret-header" not in shown + events


async def test_everything_that_happens_to_an_app_is_told_in_its_order(house: House) -> None:
    await house.create("hooked")
    every = [f"api:{name}" for name in "app build collaborator domain dyno formation release".split()]
    await house.person("friend@example.com")
    receiver = HttpReceiver()
    async with open_receiver(receiver), delivering(house):
        await subscribe(house, "hooked", f"http://127.0.0.1:{receiver.port}/", *every)
        await house.deploy("hooked", "web: serve")
        await house.settle("hooked")
        await house.client.patch("/apps/hooked/formation", json={"updates": [{"type": "web", "quantity": 2}]})
        await house.settle("hooked")
        await house.client.post("/apps/hooked/domains", json={"hostname": "www.example.org"})
        await house.client.delete("/apps/hooked/domains/www.example.org")
        await house.client.post("/apps/hooked/collaborators", json={"user": "friend@example.com"})
        await house.client.delete("/apps/hooked/collaborators/friend@example.com")
        await house.set("hooked", SECRET="s3cret-value")
        await house.settle("hooked")
        await house.client.patch("/apps/hooked", json={"name": "renamed"})
        await house.client.delete("/apps/renamed")
        await eventually(lambda: ("app", "destroy") in [(each["resource"], each["action"]) for each in map(told, receiver.taken)])
    seen = [(each["resource"], each["action"]) for each in map(told, receiver.taken)]
    wanted = {
        *(("build", action) for action in ("create", "update")),
        *(("release", action) for action in ("create",)),
        *((kind, action) for kind in ("domain", "collaborator") for action in ("create", "destroy")),
        *(("dyno", action) for action in ("create", "update", "destroy")),
        *(("formation", action) for action in ("create", "update")),
        *(("app", action) for action in ("update", "destroy")),
    }
    assert wanted <= set(seen), wanted - set(seen)
    assert seen[0] == ("webhook", "create")
    scaled = next(each for each in map(told, receiver.taken) if (each["resource"], each["action"]) == ("formation", "update"))
    assert (scaled["previous_data"], scaled["data"]["quantity"]) == ({"quantity": 1}, 2)
    renamed = [each for each in map(told, receiver.taken) if each["previous_data"].get("name") == "hooked"]
    assert [(each["data"]["name"], each["data"]["web_url"]) for each in renamed] == [("renamed", "http://renamed/")]
    assert {each["actor"]["email"] for each in map(told, receiver.taken)} == {"owner@example.com"}
    assert b"s3cret-value" not in b"".join(post.body for post in receiver.taken)
    ids = [each["webhook_metadata"]["delivery"]["id"] for each in map(told, receiver.taken)]
    assert len(set(ids)) == len(ids)


async def test_add_ons_and_attachments_are_told_without_their_secrets(house: House) -> None:
    house.platform = replace(house.platform, suppliers={SERVICE.name: ScriptedSupplier(SERVICE)})
    house.api.state.platform = house.platform
    await house.create("hooked")
    receiver = HttpReceiver()
    async with open_receiver(receiver), delivering(house):
        await subscribe(house, "hooked", f"http://127.0.0.1:{receiver.port}/", "api:addon", "api:addon-attachment")
        made = await house.client.post("/apps/hooked/addons", json={"plan": "heroku-postgresql:essential-0"})
        assert made.status_code == 201, made.text
        await house.client.delete(f"/apps/hooked/addons/{made.json()['id']}")
        await eventually(lambda: ("addon", "destroy") in [(each["resource"], each["action"]) for each in map(told, receiver.taken)])
    seen = [(each["resource"], each["action"], each["data"].get("state")) for each in map(told, receiver.taken)][1:]
    assert seen == [
        ("addon", "create", "provisioning"),
        ("addon-attachment", "create", None),
        ("addon", "update", "provisioned"),
        ("addon", "update", "deprovisioning"),
        ("addon-attachment", "destroy", None),
        ("addon", "destroy", "deprovisioning"),
    ]
    config = (await house.client.get("/apps/hooked/config-vars")).text
    assert b"scripted://" not in b"".join(post.body for post in receiver.taken), config


async def test_only_what_was_asked_for_is_told(house: House) -> None:
    await house.create("hooked")
    receiver = HttpReceiver()
    async with open_receiver(receiver), delivering(house):
        await subscribe(house, "hooked", f"http://127.0.0.1:{receiver.port}/", "api:domain")
        await house.set("hooked", A="1")
        await house.client.post("/apps/hooked/domains", json={"hostname": "www.example.org"})
        await eventually(lambda: len(receiver.taken) == 2)
    assert [told(post)["resource"] for post in receiver.taken] == ["webhook", "domain"]


async def test_a_change_that_fails_is_not_told(house: House) -> None:
    await house.create("hooked")
    await subscribe(house, "hooked", "http://127.0.0.1:1/", "api:domain", "api:app")
    assert (await house.client.post("/apps/hooked/domains", json={"hostname": "no host"})).status_code == 422
    assert (await house.client.patch("/apps/hooked", json={"name": "X"})).status_code == 422
    assert [each["event"]["include"] for each in await deliveries(house, "hooked")] == ["ping"]


async def test_sync_tries_again_in_order_and_notify_once(house: House) -> None:
    await house.create("hooked")
    stubborn, fleeting = HttpReceiver(script=[500, 302, 200]), HttpReceiver(script=[500, 200])
    async with open_receiver(stubborn), open_receiver(fleeting), delivering(house):
        sync = await subscribe(house, "hooked", f"http://127.0.0.1:{stubborn.port}/", "api:domain")
        notify = await subscribe(house, "hooked", f"http://127.0.0.1:{fleeting.port}/", "api:domain", level="notify")
        await house.client.post("/apps/hooked/domains", json={"hostname": "www.example.org"})
        await eventually(lambda: len(fleeting.posts) == 2)
        assert [told(post)["resource"] for post in fleeting.taken] == ["domain"], "a failed ping holds nothing up"
        await eventually(lambda: len(stubborn.posts) == 1)

        async def failed(times: int) -> bool:
            waiting = [each for each in await deliveries(house, "hooked", "retrying") if each["webhook"]["id"] == sync["id"]]
            return [each["num_attempts"] for each in waiting] == [times]

        await eventually(lambda: failed(1))
        [waiting] = await deliveries(house, "hooked", "retrying")
        assert waiting["last_attempt"]["code"] == 500
        assert waiting["next_attempt_at"]
        house.clock.advance(6)
        await eventually(lambda: failed(2), "a redirect is a failure and is not followed")
        assert len(stubborn.posts) == 2
        house.clock.advance(12)
        await eventually(lambda: len(stubborn.taken) == 2)
    assert [told(post)["resource"] for post in stubborn.taken] == ["webhook", "domain"]
    ping = [told(post)["webhook_metadata"] for post in stubborn.posts[:3]]
    assert len({each["delivery"]["id"] for each in ping}) == 1
    assert len({each["attempt"]["id"] for each in ping}) == 3
    failed_ones = await deliveries(house, "hooked", "failed")
    assert [each["webhook"]["id"] for each in failed_ones] == [notify["id"]]


async def test_a_clock_set_back_by_a_day_delays_no_retry_by_a_day(house: House) -> None:
    await house.create("hooked")
    stubborn = HttpReceiver(script=[500, 200])
    async with open_receiver(stubborn), delivering(house) as work:
        await subscribe(house, "hooked", f"http://127.0.0.1:{stubborn.port}/", "api:domain")

        async def is_retrying() -> bool:
            return len(await deliveries(house, "hooked", "retrying")) == 1

        await eventually(is_retrying)
        house.clock.set_wrong(-24 * 3600)
        work.wake()
        await eventually(lambda: len(stubborn.taken) == 1, "the second attempt")


async def test_a_slow_receiver_holds_up_no_other_and_is_given_up_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_TIMEOUT_S", 1.5)
    await house.create("hooked")
    slow, quick, cut = HttpReceiver(script=["silent"]), HttpReceiver(), HttpReceiver(script=["cut"])
    async with open_receiver(slow), open_receiver(quick), open_receiver(cut), delivering(house):
        for receiver in (slow, quick, cut):
            await subscribe(house, "hooked", f"http://127.0.0.1:{receiver.port}/", level="notify")
        await subscribe(house, "hooked", "http://127.0.0.1:1/", level="notify")
        await eventually(lambda: len(quick.taken) == 1)

        async def errors() -> bool:
            found = await deliveries(house, "hooked", "failed")
            return sorted(each["last_attempt"]["error_class"] for each in found) == ["ConnectError", "RemoteProtocolError", "Timeout"]

        await eventually(errors)


async def test_what_was_not_delivered_when_the_platform_died_is_delivered_afterwards(house: House) -> None:
    await house.create("hooked")
    receiver = HttpReceiver()
    async with open_receiver(receiver):
        await subscribe(house, "hooked", f"http://127.0.0.1:{receiver.port}/", "api:domain")
        await house.client.post("/apps/hooked/domains", json={"hostname": "www.example.org"})
        assert receiver.posts == []
        async with delivering(house):
            await eventually(lambda: len(receiver.taken) == 2)
        await house.client.post("/apps/hooked/domains", json={"hostname": "more.example.org"})
        async with delivering(house):
            await eventually(lambda: len(receiver.taken) == 3)
    assert [told(post)["resource"] for post in receiver.taken] == ["webhook", "domain", "domain"]


class Mute:
    """Takes nothing; counts."""

    def __init__(self) -> None:
        self.count = 0

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answered:
        self.count += 1
        return Answered(error_class="ConnectError")


async def test_after_three_days_a_delivery_is_given_up(house: House) -> None:
    await house.create("hooked")
    mute = Mute()
    async with delivering(house, mute):
        await subscribe(house, "hooked", "http://127.0.0.1:1/")
        await eventually(lambda: mute.count == 1)
        house.clock.advance(limits.WEBHOOK_TRIED_FOR_S + 1)

        async def is_given_up() -> bool:
            return [each["status"] for each in await deliveries(house, "hooked")] == ["failed"]

        await eventually(is_given_up)
    assert mute.count == 2


async def test_what_waits_is_bounded_and_what_is_dropped_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("senryu.actions.note.WEBHOOK_WAITING_MAX", 3)
    await house.create("hooked")
    made = await subscribe(house, "hooked", "http://127.0.0.1:1/", "api:domain")
    for number in range(5):
        await house.client.post("/apps/hooked/domains", json={"hostname": f"www{number}.example.org"})
    assert len(await deliveries(house, "hooked", "pending")) == 3
    dropped = await deliveries(house, "hooked", "failed")
    assert [each["last_attempt"]["error_class"] for each in dropped] == ["Dropped"] * 3
    assert (await house.client.get(f"/apps/hooked/webhooks/{made['id']}")).json()["dropped"] == 3


async def test_done_deliveries_are_forgotten_after_a_week_and_above_a_thousand(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_KEPT", 2)
    await house.create("hooked")
    async with delivering(house, Mute()) as work:
        await subscribe(house, "hooked", "http://127.0.0.1:1/", "api:domain", level="notify")
        for number in range(3):
            await house.client.post("/apps/hooked/domains", json={"hostname": f"www{number}.example.org"})

        async def are_failed() -> bool:
            return len(await deliveries(house, "hooked", "failed")) == 4

        await eventually(are_failed)
        await work.prune()
        assert len(await deliveries(house, "hooked")) == 2
        assert len((await house.client.get("/apps/hooked/webhook-events")).json()) == 2
        house.clock.advance(limits.WEBHOOK_KEPT_S + 1)
        await work.prune()
        assert await deliveries(house, "hooked") == []
        assert (await house.client.get("/apps/hooked/webhook-events")).json() == []


async def test_a_webhook_may_not_lead_into_a_private_network(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    object.__setattr__(house.platform.settings, "allow_private_webhooks", False)
    await house.create("hooked")
    for host in ("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "0.0.0.0"):
        answer = await _post(house, "hooked", {"url": f"http://{host}/", "include": ["api:app"], "level": "sync"})
        assert answer.status_code == 422, host
        assert "private network" in answer.json()["message"]
    made = await subscribe(house, "hooked", "https://hooks.example.com/")
    answer = await house.client.patch(f"/apps/hooked/webhooks/{made['id']}", json={"url": "http://10.1.1.1/"})
    assert answer.status_code == 422
    receiver = HttpReceiver()
    async with open_receiver(receiver):
        poster = JudgedPoster(house.platform.resolver, allow_private=False)
        answered = await poster.post(f"http://localhost:{receiver.port}/", [], b"{}")
        assert (answered, receiver.connections) == (Answered(error_class="AddressNotAllowed"), 0)


async def test_webhooks_are_changed_and_removed_and_those_of_other_apps_are_out_of_reach(house: House) -> None:
    await house.create("hooked")
    await house.create("other-app")
    made = await subscribe(house, "hooked", "https://hooks.example.com/", secret="mine")
    assert made["secret"] == "mine"
    body = {"include": ["api:dyno"], "level": "notify", "url": "https://more.example.com/"}
    changed = (await house.client.patch(f"/apps/hooked/webhooks/{made['id']}", json=body)).json()
    assert (changed["include"], changed["level"], changed["url"]) == (["api:dyno"], "notify", "https://more.example.com/")
    [delivery] = await deliveries(house, "hooked")
    for path in (f"webhooks/{made['id']}", f"webhook-deliveries/{delivery['id']}", f"webhook-events/{delivery['event']['id']}"):
        assert (await house.client.get(f"/apps/hooked/{path}")).status_code == 200
        assert (await house.client.get(f"/apps/other-app/{path}")).status_code == 404
    assert (await house.client.delete(f"/apps/other-app/webhooks/{made['id']}")).status_code == 404
    assert (await house.client.delete(f"/apps/hooked/webhooks/{made['id']}")).status_code == 200
    assert await deliveries(house, "hooked") == []
    async with house.db.reading() as tx:
        assert await store.find_webhook(tx, uuid4(), vault=house.platform.vault) is None
