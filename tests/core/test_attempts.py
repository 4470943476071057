"""How fast somebody may guess, and that guessing locks nobody else out."""

from __future__ import annotations

import pytest

from senryu.core.attempts import Attempts, place_of
from senryu.core.errors import RateLimited


def _wait_s(attempts: Attempts, account: str, place: str, now_s: float) -> int:
    """0 when a try is let through (and fails), else the seconds to wait."""
    try:
        attempts.begin(account, place, now_s)
    except RateLimited as problem:
        return problem.retry_after_s or 0
    return 0


def test_after_five_failures_each_further_one_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    attempts, now, waits = Attempts(), 0.0, []
    for _ in range(20):
        wait = _wait_s(attempts, "a", "1.1.1.1", now)
        waits.append(wait)
        if wait:
            now += wait
            assert _wait_s(attempts, "a", "1.1.1.1", now) == 0
    assert waits[:5] == [0] * 5
    assert waits[5:9] == [1, 2, 4, 8]
    assert max(waits) <= 900
    assert waits[-1] > 500


def test_many_at_once_do_not_pass() -> None:
    attempts = Attempts()
    assert [_wait_s(attempts, "a", "1.1.1.1", 0.0) for _ in range(50)].count(0) == 5


def test_one_address_is_slowed_for_all_accounts_it_tries_and_others_are_not() -> None:
    attempts = Attempts()
    let_in = [_wait_s(attempts, f"account{number}", "6.6.6.6", 0.0) for number in range(60)].count(0)
    assert let_in == 30
    assert _wait_s(attempts, "account0", "1.1.1.1", 0.0) == 0


def test_an_account_tried_from_everywhere_is_slowed_but_its_owner_gets_in_from_where_they_did_before() -> None:
    attempts = Attempts()
    attempts.begin("a", "9.9.9.9", 0.0)
    attempts.succeeded("a", "9.9.9.9")
    let_in = [_wait_s(attempts, "a", f"6.6.{number // 250}.{number % 250}", 1.0) for number in range(300)].count(0)
    assert let_in == 100
    assert 0 < _wait_s(attempts, "a", "7.7.7.7", 1.0) <= 30
    assert _wait_s(attempts, "a", "9.9.9.9", 1.0) == 0
    assert _wait_s(attempts, "b", "7.7.7.7", 1.0) == 0


def test_success_forgets_failures_and_so_does_time() -> None:
    attempts = Attempts()
    for _ in range(5):
        attempts.begin("a", "1.1.1.1", 0.0)
    attempts.succeeded("a", "1.1.1.1")
    assert [_wait_s(attempts, "a", "1.1.1.1", 0.0) for _ in range(6)].count(0) == 5
    assert _wait_s(attempts, "a", "1.1.1.1", 3601.0) == 0
    assert attempts.count("a", "1.1.1.1") == 1


def test_memory_is_bounded() -> None:
    attempts = Attempts(most=10)
    for number in range(100):
        _wait_s(attempts, str(number), f"1.1.1.{number}", 0.0)
        attempts.succeeded(str(number), f"1.1.1.{number}")
    assert len(attempts._failures) <= 10
    assert len(attempts._known) <= 10


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("8.8.8.8", "8.8.8.8"),
        (" ::ffff:8.8.8.8", "8.8.8.8"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("junk", "unknown"),
    ],
)
def test_what_counts_as_one_address(address: str, place: str) -> None:
    assert place_of(address) == place
