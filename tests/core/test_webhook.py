"""What webhooks may be, what they are told, and when they are told again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from senryu.core import limits
from senryu.core.errors import Invalid
from senryu.core.webhook import (
    DeliveryStatus,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
    body_of,
    checked_include,
    checked_level,
    checked_url,
    headers_of,
    next_delay_s,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "url", ["", "ftp://h/", "https://", "https://h:0/", "https://h:99999/", "https://[/", "https://h/ x", "https://é/", "/hooks"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match=r"use one such as https://example\.com/hooks"):
        checked_url(url)


def test_host_and_port_are_taken_from_the_address() -> None:
    assert checked_url("https://me:word@h.example.com/x?y") == ("h.example.com", 443)
    assert checked_url("http://[::1]:8080") == ("::1", 8080)


def test_entities_are_known_and_may_be_written_short() -> None:
    assert checked_include(["dyno", "api:release", "api:dyno"]) == ("api:dyno", "api:release")
    for wrong in ([], "api:release", None, [1], ["api:nothing"], {"a": 1}):
        with pytest.raises(Invalid):
            checked_include(wrong)
    with pytest.raises(Invalid):
        checked_level("loud")


def _webhook(url: str, authorization: str | None = None) -> Webhook:
    return Webhook(uuid4(), uuid4(), url, ("api:app",), "sync", "s3cret", authorization, NOW, NOW)


def test_a_request_is_signed_and_carries_the_authorization_header_or_the_addresses_credentials() -> None:
    headers = dict(headers_of(_webhook("https://h/", "Bearer 1"), b"body"))
    expected = base64.b64encode(hmac.new(b"s3cret", b"body", hashlib.sha256).digest()).decode()
    assert headers["Heroku-Webhook-Hmac-SHA256"] == expected
    assert headers["Authorization"] == "Bearer 1"
    assert dict(headers_of(_webhook("https://me:w%40rd@h/"), b""))["Authorization"] == "Basic " + base64.b64encode(b"me:w@rd").decode()
    assert "Authorization" not in dict(headers_of(_webhook("https://h/"), b""))


def test_the_body_tells_what_happened_and_which_attempt_this_is() -> None:
    event = WebhookEvent(uuid4(), uuid4(), "api:app", "update", {"email": "a@b.test", "id": "1"}, {"name": "x"}, {"name": "y"}, NOW)
    delivery = WebhookDelivery(uuid4(), 1, uuid4(), event.id, "api:app", "sync", DeliveryStatus.PENDING, 0, NOW, NOW)
    attempt = uuid4()
    told = json.loads(body_of(event, delivery, attempt, {"web_url": "http://x.localhost/"}))
    assert told["data"] == {"name": "x", "web_url": "http://x.localhost/"}
    assert (told["resource"], told["action"], told["previous_data"]) == ("app", "update", {"name": "y"})
    assert told["webhook_metadata"]["attempt"]["id"] == str(attempt)
    assert told["webhook_metadata"]["event"] == {"id": str(event.id), "include": "api:app"}


def test_retries_come_slower_up_to_an_hour_and_end_after_three_days() -> None:
    delays = [next_delay_s(attempt, 0, 0.5) for attempt in range(1, 30)]
    assert delays[:4] == [5.0, 10.0, 20.0, 40.0]
    assert delays[-1] == 3600.0
    assert next_delay_s(1, limits.WEBHOOK_TRIED_FOR_S, 0.5) is None
    assert next_delay_s(3, 0, 0.0) == 18.0
