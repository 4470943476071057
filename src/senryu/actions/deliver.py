"""Delivering what webhooks are told: each in order, several beside one another, again when it failed, across restarts.

What waits is in the database; nothing is only here. A delivery that a crash cut off is sent again, as nobody knows whether it arrived.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid4

import structlog

from ..core import limits
from ..core.clock import Clock
from ..core.errors import PlatformError
from ..core.webhook import Answered, DeliveryStatus, Poster, WebhookDelivery, body_of, headers_of, iso, next_delay_s
from ..store.database import Database
from ..store.vault import Vault
from ..store.webhooks import find_event, find_webhook, next_deliveries, prune_deliveries, settle_delivery

_LOOK_S: Final = 60.0
_PRUNE_S: Final = 3600.0
_AGAIN_S: Final = 5.0
_WAIT_MAX_S: Final = 2 * limits.WEBHOOK_RETRY_MAX_S
_log = structlog.get_logger("webhooks")


class Deliveries:
    """Used as `async with`: inside, what waits is sent. `wake` has it look at once.

    Takes: `urls`, from an app's name to its `web_url` and `git_url`.
    """

    def __init__(self, *, db: Database, vault: Vault, poster: Poster, clock: Clock, urls: Callable[[str], Mapping[str, str]]) -> None:
        self._db, self._vault, self._poster, self._clock, self._urls = db, vault, poster, clock, urls
        self._bell = asyncio.Event()
        self._at_work: dict[UUID, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._bell.set()
        self._tasks = [asyncio.create_task(self._keep_sending(), name="webhooks"), asyncio.create_task(self._keep_pruning())]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        tasks = [*self._tasks, *self._at_work.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Has it look at what waits now. Never waits."""
        self._bell.set()

    async def _keep_sending(self) -> None:
        while True:
            self._bell.clear()
            try:
                delay_s = await self._start_due()
            except PlatformError as problem:
                _log.warning("deliveries cannot be looked up", reason=problem.message)
                delay_s = _AGAIN_S
            except Exception:
                _log.exception("deliveries cannot be looked up")
                delay_s = _AGAIN_S
            await self._rung(delay_s)

    async def _rung(self, within_s: float) -> None:
        """Waits for the bell, or until it is time; by the platform's clock, which tests let jump."""
        bell, sleep = asyncio.ensure_future(self._bell.wait()), asyncio.ensure_future(self._clock.sleep(within_s))
        try:
            await asyncio.wait({bell, sleep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            bell.cancel()
            sleep.cancel()

    async def _start_due(self) -> float:
        """Begins what is due, as far as there are senders; gives the seconds to the next one."""
        async with self._db.reading() as tx:
            heads = await next_deliveries(tx)
        now, delay_s = self._clock.now(), _LOOK_S
        for delivery in heads:
            if delivery.webhook_id in self._at_work:
                continue
            left_s = ((delivery.next_attempt_at or now) - now).total_seconds()
            if 0 < left_s <= _WAIT_MAX_S:  # a longer one is no wait of ours: the clock was set back since
                delay_s = min(delay_s, left_s)
            elif len(self._at_work) < limits.WEBHOOK_SENDERS:
                task = asyncio.create_task(self._carried(delivery), name=f"webhook:{delivery.webhook_id}")
                self._at_work[delivery.webhook_id] = task
        return delay_s

    async def _carried(self, delivery: WebhookDelivery) -> None:
        try:
            await self._deliver(delivery)
        except Exception as problem:  # it stays as it was, and is tried again
            told = problem.message if isinstance(problem, PlatformError) else ""
            _log.error("delivery interrupted", delivery=str(delivery.id), reason=told, exc_info=None if told else problem)
            await self._clock.sleep(_AGAIN_S)
        finally:
            self._at_work.pop(delivery.webhook_id, None)
            self._bell.set()

    async def _deliver(self, delivery: WebhookDelivery) -> None:
        async with self._db.reading() as tx:
            webhook = await find_webhook(tx, delivery.webhook_id, vault=self._vault)
            event = await find_event(tx, delivery.event_id)
        if webhook is None or event is None:  # taken away meanwhile
            async with self._db.transaction() as tx:
                await settle_delivery(tx, replace(delivery, status=DeliveryStatus.FAILED, next_attempt_at=None))
            return
        attempt_id, begun_at = uuid4(), self._clock.now()
        body = body_of(event, delivery, attempt_id, self._urls(str(event.data.get("name", ""))))
        answered = await self._poster.post(webhook.url, headers_of(webhook, body), body)
        attempt = {
            "id": str(attempt_id),
            "code": answered.code,
            "error_class": answered.error_class,
            "status": "succeeded" if answered.is_taken else "failed",
            "created_at": iso(begun_at),
            "updated_at": iso(self._clock.now()),
        }
        async with self._db.transaction() as tx:
            await settle_delivery(tx, replace(self._settled(delivery, answered, webhook.level), last_attempt=attempt))

    def _settled(self, delivery: WebhookDelivery, answered: Answered, level: str) -> WebhookDelivery:
        now, attempts = self._clock.now(), delivery.num_attempts + 1
        tried = replace(delivery, num_attempts=attempts, updated_at=now, next_attempt_at=None)
        if answered.is_taken:
            return replace(tried, status=DeliveryStatus.SUCCEEDED)
        delay_s = next_delay_s(attempts, (now - delivery.created_at).total_seconds(), random.random()) if level == "sync" else None
        if delay_s is None:
            return replace(tried, status=DeliveryStatus.FAILED)
        return replace(tried, status=DeliveryStatus.RETRYING, next_attempt_at=now + timedelta(seconds=delay_s))

    async def _keep_pruning(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception as problem:
                _log.warning("old deliveries cannot be forgotten", reason=str(problem))
            await self._clock.sleep(_PRUNE_S)

    async def prune(self) -> None:
        """Forgets what was done a week ago, and more than the newest thousand of each webhook."""
        before = self._clock.now() - timedelta(seconds=limits.WEBHOOK_KEPT_S)
        async with self._db.transaction() as tx:
            await prune_deliveries(tx, before, most=limits.WEBHOOK_KEPT)
