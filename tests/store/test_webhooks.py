"""Webhooks, second factors, OAuth grants and kept answers in both databases: what goes in comes out the same, secrets are sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from senryu.core.account import Authorization
from senryu.core.oauth_client import OAuthClient
from senryu.core.two_factor import TwoFactor
from senryu.core.webhook import DeliveryStatus, Webhook, WebhookDelivery, WebhookEvent
from senryu.store import idempotent_answers, oauth_clients, oauth_grants, two_factors, webhooks
from senryu.store.authorizations import create_authorization, delete_authorization, find_authorization
from senryu.store.database import Database
from senryu.store.vault import Vault

from .conftest import NOW, Rows


def _webhook(rows: Rows, **changes: object) -> Webhook:
    made = Webhook(uuid4(), rows.app.id, "https://me:w@h.example.com/", ("api:app",), "sync", "s3cret", "Bearer s3cret", NOW, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


async def _delivery(db: Database, webhook: Webhook, *, most: int = 10) -> tuple[UUID, int]:
    event = WebhookEvent(uuid4(), webhook.app_id, "api:app", "update", {"id": "1"}, {"a": [1]}, {}, NOW)
    made = WebhookDelivery(uuid4(), 0, webhook.id, event.id, "api:app", "sync", DeliveryStatus.PENDING, 0, NOW, NOW, NOW)
    async with db.transaction() as tx:
        await webhooks.create_event(tx, event)
        dropped = await webhooks.create_delivery(tx, made, most=most)
        assert await webhooks.find_event(tx, event.id) == event
    return made.id, dropped


async def test_webhooks_events_and_deliveries(db: Database, rows: Rows, vault: Vault) -> None:
    one, other = _webhook(rows), _webhook(rows, authorization=None, include=("api:dyno", "api:app"))
    woken: list[bool] = []
    db.on_news = lambda: woken.append(True)
    async with db.transaction() as tx:
        for each in (one, other):
            await webhooks.create_webhook(tx, each, vault=vault)
        assert {each.id for each in await webhooks.list_webhooks(tx, rows.app.id, vault=vault)} == {one.id, other.id}
        assert await webhooks.find_webhook(tx, other.id, vault=vault) == other
        assert {id for id, _ in await webhooks.subscribers(tx, rows.app.id, "api:app")} == {one.id, other.id}
        assert await webhooks.subscribers(tx, rows.app.id, "api:dyno") == [(other.id, "sync")]
        sealed = b"".join(bytes(each) for each in (await tx.execute(text("SELECT sealed FROM app_webhooks"))).scalars())
        assert b"s3cret" not in sealed
        assert woken == []
    first, _ = await _delivery(db, one)
    second, _ = await _delivery(db, one)
    third, _ = await _delivery(db, other)
    assert woken == [True] * 3
    async with db.transaction() as tx:
        heads = await webhooks.next_deliveries(tx)
        assert [each.id for each in heads] == [first, third]
        done = replace(heads[0], status=DeliveryStatus.SUCCEEDED, num_attempts=1, next_attempt_at=None, last_attempt={"code": 200})
        await webhooks.settle_delivery(tx, done)
        assert [each.id for each in await webhooks.next_deliveries(tx)] == [second, third]
        assert (await webhooks.list_deliveries(tx, [one.id], status="succeeded"))[0] == done
        await webhooks.settle_delivery(tx, replace(done, status=DeliveryStatus.FAILED))
        assert (await webhooks.list_deliveries(tx, [one.id]))[0].status is DeliveryStatus.SUCCEEDED, "what is done stays"
        await webhooks.prune_deliveries(tx, NOW + timedelta(days=1), most=10)
        assert [each.id for each in await webhooks.list_deliveries(tx, [one.id])] == [second]
        assert len(await webhooks.list_events(tx, rows.app.id)) == 2
        await webhooks.end_webhooks(tx, rows.app.id, NOW)
        assert await webhooks.list_webhooks(tx, rows.app.id, vault=vault) == []
        await webhooks.delete_webhook(tx, one.id)
        await webhooks.prune_deliveries(tx, NOW, most=10)
        assert await webhooks.find_webhook(tx, one.id, vault=vault) is None
        assert await webhooks.find_webhook(tx, other.id, vault=vault) is not None, "something still waits for it"


async def test_the_oldest_delivery_gives_way_and_is_counted(db: Database, rows: Rows, vault: Vault) -> None:
    one = _webhook(rows)
    async with db.transaction() as tx:
        await webhooks.create_webhook(tx, one, vault=vault)
    made = [await _delivery(db, one, most=2) for _ in range(4)]
    assert [dropped for _, dropped in made] == [0, 0, 1, 1]
    async with db.reading() as tx:
        waiting = await webhooks.list_deliveries(tx, [one.id], status="pending")
        assert [each.id for each in waiting] == [id for id, _ in made[2:]]
        found = await webhooks.find_webhook(tx, one.id, vault=vault)
        assert found is not None
        assert found.dropped == 2


async def test_second_factors(db: Database, rows: Rows, vault: Vault) -> None:
    factor = TwoFactor(rows.account.id, "SEED", True, 7, NOW, NOW)
    async with db.transaction() as tx:
        await two_factors.set_two_factor(tx, replace(factor, is_enabled=False), vault=vault)
        assert await two_factors.accounts_with_two_factor(tx, {rows.account.id}) == set()
        await two_factors.set_two_factor(tx, factor, vault=vault)
        assert await two_factors.find_two_factor(tx, rows.account.id, vault=vault) == factor
        assert await two_factors.accounts_with_two_factor(tx, {rows.account.id, uuid4()}) == {rows.account.id}
        assert await two_factors.use_step(tx, rows.account.id, 7) is False
        assert await two_factors.use_step(tx, rows.account.id, 8) is True
        assert await two_factors.use_step(tx, rows.account.id, 8) is False
        await two_factors.set_recovery_codes(tx, rows.account.id, ["a", "b"])
        assert await two_factors.use_recovery_code(tx, rows.account.id, "a") is True
        assert await two_factors.use_recovery_code(tx, rows.account.id, "a") is False
        assert await two_factors.count_recovery_codes(tx, rows.account.id) == 1
        await two_factors.delete_two_factor(tx, rows.account.id)
        assert await two_factors.find_two_factor(tx, rows.account.id, vault=vault) is None
        assert await two_factors.count_recovery_codes(tx, rows.account.id) == 0


async def test_oauth_codes_and_grants(db: Database, rows: Rows, vault: Vault) -> None:
    client = OAuthClient(uuid4(), rows.account.id, "client", "https://x/", "s3cret", NOW, NOW)
    made = Authorization(uuid4(), rows.account.id, "client", ("read",), "hash", "mask", NOW, NOW)
    code = oauth_grants.OAuthCode("code", client.id, rows.account.id, ("read",), "https://x/", NOW)
    async with db.transaction() as tx:
        await oauth_clients.create_oauth_client(tx, client, vault=vault)
        assert await oauth_grants.find_oauth_client(tx, client.id, vault=vault) == client
        await oauth_grants.create_oauth_code(tx, code, NOW)
        assert await oauth_grants.find_oauth_code(tx, "code") == code
        await create_authorization(tx, made)
        await oauth_grants.spend_oauth_code(tx, "code", made.id)
        assert await oauth_grants.find_oauth_code(tx, "code") == replace(code, authorization_id=made.id)
        grant = oauth_grants.OAuthGrant(made.id, client.id, "one")
        await oauth_grants.create_oauth_grant(tx, grant)
        assert await oauth_grants.find_oauth_grant(tx, "one") == (grant, True)
        await oauth_grants.renew_oauth_grant(tx, grant, "two")
        renewed = replace(grant, refresh_hash="two", spent_hash="one")
        assert await oauth_grants.find_oauth_grant(tx, "one") == (renewed, False)
        assert await oauth_grants.find_oauth_grant(tx, "two") == (renewed, True)
        assert await oauth_grants.granted_clients(tx, rows.account.id) == {made.id: (client.id, "client", "https://x/")}
        assert await oauth_grants.account_of(tx, rows.account.id) == rows.account
        await delete_authorization(tx, made.id)
        assert await oauth_grants.find_oauth_grant(tx, "two") is None
        await create_authorization(tx, made)
        await oauth_grants.create_oauth_grant(tx, grant)
        await oauth_grants.revoke_oauth_grants(tx, client.id)
        assert await find_authorization(tx, made.id) is None
        await oauth_grants.create_oauth_code(tx, replace(code, code_hash="other"), NOW + timedelta(seconds=1))
        assert await oauth_grants.find_oauth_code(tx, "code") is None, "those that ended are forgotten"


async def test_kept_answers(db: Database, vault: Vault) -> None:
    answer = idempotent_answers.KeptAnswer(201, {"content-type": "application/json"}, '{"token": "s3cret"}')
    async with db.transaction() as tx:
        await idempotent_answers.mark_begun(tx, "key", NOW)
        begun = await idempotent_answers.find_answer(tx, "key", NOW, vault=vault)
        assert begun == idempotent_answers.KeptAnswer(None, {}, "")
        await idempotent_answers.keep_answer(tx, "key", answer, vault=vault)
        assert await idempotent_answers.find_answer(tx, "key", NOW, vault=vault) == answer
        assert await idempotent_answers.find_answer(tx, "key", NOW + timedelta(seconds=1), vault=vault) is None
        sealed = (await tx.execute(text("SELECT sealed_answer FROM idempotent_answers"))).scalar_one()
        assert b"s3cret" not in bytes(sealed)
        await idempotent_answers.prune_answers(tx, NOW + timedelta(seconds=1), most=5)
        assert await idempotent_answers.find_answer(tx, "key", NOW, vault=vault) is None
