"""When a certificate is asked for, and how long the platform waits after a refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from senryu.core import limits
from senryu.core.certificate_order import Authorization, CertificateOrder, Move, PlacedOrder, answer_to, back_off, next_move, status_after
from senryu.core.errors import Invalid
from senryu.core.sni_endpoint import SslCert, check_covers, covers, renew_at

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def cert(days: float) -> SslCert:
    return SslCert(("www.example.com", "*.example.org"), "CA", "CN", NOW, NOW + timedelta(days=days), True, False, "f")


def order(*, placed: bool, failures: int = 0, next_try_at: datetime = NOW, updated_at: datetime = NOW) -> CertificateOrder:
    url = PlacedOrder("https://ca/1", (Authorization("token", "answer"),)) if placed else None
    return CertificateOrder(uuid4(), url, failures, next_try_at, NOW, updated_at)


def test_what_comes_next_follows_from_what_is_stored() -> None:
    www = "www.example.com"
    assert next_move("*.example.com", None, None, NOW) is Move.REST
    assert next_move(www, None, None, NOW) is Move.PLACE
    assert next_move(www, order(placed=True), None, NOW) is Move.ADVANCE
    assert next_move(www, order(placed=True), None, NOW + timedelta(seconds=limits.CERTIFICATE_ORDER_S + 1)) is Move.ABANDON
    assert next_move(www, order(placed=False, failures=1, next_try_at=NOW + HOUR), None, NOW) is Move.REST
    assert next_move(www, order(placed=False, failures=1, next_try_at=NOW + HOUR), None, NOW + HOUR) is Move.PLACE


def test_a_certificate_is_renewed_30_days_before_its_end_and_a_short_one_after_two_thirds() -> None:
    assert renew_at(cert(90)) == NOW + timedelta(days=60)
    assert renew_at(cert(6)) == NOW + timedelta(days=4)
    done = order(placed=False)
    assert next_move("www.example.com", done, cert(90), NOW + timedelta(days=59)) is Move.REST
    assert next_move("www.example.com", done, cert(90), NOW + timedelta(days=60)) is Move.PLACE
    failed = order(placed=False, failures=3, next_try_at=NOW + timedelta(days=61))
    assert next_move("www.example.com", failed, cert(90), NOW + timedelta(days=60)) is Move.REST


def test_the_waits_double_to_a_day_and_leave_room_under_the_authorities_limit() -> None:
    waits = [back_off(failures, 0).total_seconds() for failures in range(1, 12)]
    assert waits[:3] == [900, 1800, 3600] and waits[-1] == limits.CERTIFICATE_RETRY_MAX_S
    assert back_off(1, 1).total_seconds() == 990
    assert sum(1 for at in (0, 900, 2700) if at < 3600) < 5
    assert back_off(10**6, 0).total_seconds() == limits.CERTIFICATE_RETRY_MAX_S
    assert (status_after(1), status_after(limits.CERTIFICATE_FAILURES_MAX)) == ("failing", "failed")


def test_only_tokens_that_are_waited_for_are_answered() -> None:
    orders = [order(placed=False), order(placed=True)]
    assert (answer_to("token", orders), answer_to("other", orders)) == ("answer", None)


def test_a_wildcard_stands_for_one_label() -> None:
    names = cert(1).cert_domains
    assert covers(names, "www.example.com") and covers(names, "a.example.org") and covers(names, "*.example.org")
    assert not any(covers(names, host) for host in ("example.com", "example.org", "a.b.example.org", "*.example.com", "awww.example.com"))
    check_covers(cert(1), "a.example.org", "mine")
    with pytest.raises(Invalid, match=r"mine is for www\.example\.com, \*\.example\.org and not for example\.org"):
        check_covers(cert(1), "example.org", "mine")
